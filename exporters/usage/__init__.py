"""What is judged of the use of resources, told to people: tables, JSON, CSV, and sums by department."""
