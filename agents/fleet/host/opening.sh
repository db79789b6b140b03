#!/bin/sh
# The agent on one host: what is there, a release put there, configured, put in force, gone back from, taken
# away. For any POSIX sh; needs systemd, flock, tar, gzip, sha256sum. Layout: docs/fleet.md.
#
#   look                            tells what is there and changes nothing
#   unpack FILE SHA256 VERSION      puts the release of a bundle beside the others
#   configure VERSION SHA256        checks a tar of files on standard input with that release; sets it ready
#   activate VERSION SECONDS [CONFIGURED]  puts release and configuration in force, or goes back by itself;
#                                   CONFIGURED is what configure told: nothing else is taken
#   rollback SECONDS                goes back to the release before, with the configuration it had
#   uninstall [--keep-state]        leaves nothing
#   install [CONFIG]                for the console: puts the tree this file is in in force
#
# Tells key=value lines; 0 done, 1 said why on standard error. What is written is written aside and renamed.
# An activation first writes all that it needs room for, and has it on the disk; then it only renames, as going
# back does. Until it is over there is $PREFIX/.pending, what was before: who finds it goes back first.
# Standard output may be gone with the connection: nothing depends on it, and what was begun is ended.

# shellcheck disable=SC2317 # functions are called by their verb
set -u
LOCALE=${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 022
trap '' HUP PIPE

PREFIX=/opt/jianwei
ETC=/etc/jianwei
ETC_NEW=/etc/.jianwei.new # set ready by configure, put in force by activate
STATE=/var/lib/jianwei
ACCOUNT=/var/lib/.jianwei.account # `user`, `group`: those that were made here
UNITS=/etc/systemd/system
UNIT=jianwei-agent.service
ROTATE=/etc/logrotate.d/jianwei
COMMAND=/usr/local/bin/jianwei # leads to $PREFIX/current/bin/jianwei, where nothing else has the name
PENDING=$PREFIX/.pending
LOCK=/run/jianwei-host.lock # root's: what others can open, they can lock
WAS=.before~ # beside a place: what was there before the activation that is not over
seconds=60

tell() { printf '%s=%s\n' "$1" "$2" 2>/dev/null || :; }

fail() {
    printf '%s\n' "$1" >&2 2>/dev/null || :
    exit 1
}
