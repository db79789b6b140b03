# One host of tests/fleetlab.py, as the first process of its namespaces.
# It is given: TREE, its FOLDER, NAME, ADDRESS, GATEWAY, DEVICE, DISK, READ_ONLY, INIT.
# Descriptor 9 is the network that it is joined to.
set -eu

outside() { nsenter --net=/proc/self/fd/9 "$@"; }
outside ip link add "$DEVICE" type veth peer name eth0 netns 1
outside ip address add "$GATEWAY" peer "$ADDRESS/32" dev "$DEVICE"
outside ip link set "$DEVICE" up
# from host to host, as by a jump host
outside sh -c "echo 1 > /proc/sys/net/ipv4/conf/$DEVICE/forwarding"
exec 9<&-
ip link set lo up
ip address add "$ADDRESS" peer "$GATEWAY/32" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"
hostname "$NAME"

cd "$FOLDER"
if [ -n "$DISK" ]; then
    mkdir disk
    mount -t tmpfs -o "mode=755,size=$DISK" tmpfs disk
    cp -a upper work disk/
    mount --bind disk/upper upper
    layers="upperdir=disk/upper,workdir=disk/work"
else
    layers="upperdir=upper,workdir=work"
fi
mount -t overlay -o "lowerdir=$TREE,$layers" overlay root
cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    : > "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/shm dev/pts run/sshd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
if [ -n "$READ_ONLY" ]; then
    mount --bind "./$READ_ONLY" "./$READ_ONLY"
    mount -o remount,bind,ro "./$READ_ONLY"
fi
pivot_root . mnt
# the machine's own mounts are not the host's to see
umount -l mnt
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin $INIT
