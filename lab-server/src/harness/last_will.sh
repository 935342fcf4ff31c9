# The last will of a lab that died before it could clean up: ends what it has started and removes its directory.
# $1 is the directory; this starts in it, and removes nothing but what lies in there, wherever the path leads by
# then. Standard input ends when the lab does. Standard output is the lab's lock, held until this
# is done, so that no other lab sweeps here meanwhile.
trap '' HUP INT QUIT TERM
directory=$1
mark=./children

read -r _

# Kills whoever bears the mark; fails when nobody does.
kill_marked() {
    found=1
    for process in /proc/[0-9]*; do
        if [ "$process/fd/0" -ef "$mark" ] || [ "$process/fd/9" -ef "$mark" ]; then
            kill -KILL "${process#/proc/}"
            found=0
        fi
    done
    return $found
}

looks=0
while kill_marked && [ $looks -lt 500 ]; do
    looks=$((looks + 1))
    sleep 0.02
done

# The shared memory of a killed PostgreSQL has the inode of its data directory for a key.
for data in ./postgres/*/; do
    [ -d "$data" ] && [ ! -L "${data%/}" ] || continue
    set -- $(ls -din "$data")
    inode=$1 owner=$4
    while read -r key id _ _ _ _ attached _ _ creator _; do
        if [ "$attached" = 0 ] && [ "$creator" = "$owner" ] &&
            [ $((key & 0xffffffff)) -eq $((inode & 0xffffffff)) ]; then
            ipcrm -m "$id"
        fi
    done </proc/sysvipc/shm
done

# The lock goes last: a sweep knows by it what is dead.
for entry in ./* ./.[!.]* ./..?*; do
    [ "${entry##*/}" = owner.lock ] || rm -rf -- "$entry"
done
rm -f -- ./owner.lock
# Follows no link, and takes an empty directory only.
rmdir -- "$directory"
