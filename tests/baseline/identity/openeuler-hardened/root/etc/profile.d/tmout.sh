# 15 minutes
export TMOUT=900
readonly TMOUT
