"""CPU time by mode, frequency and model: /proc/stat, /proc/cpuinfo (proc(5)), sysfs cpufreq.

Times in the kernel are in USER_HZ (100 a second on every Linux architecture we serve) and can go
back a little for idle and iowait; Prometheus treats that as a reset, hence nothing is hidden here.
"""
