"""The dashboards for Grafana, short as people write them, and the files that Grafana reads."""
