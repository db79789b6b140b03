# set for the baseline
umask 027
