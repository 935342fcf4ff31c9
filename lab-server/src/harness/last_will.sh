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

# One that was forked while a look went on shows at the next.
looks=0 clear=0
while [ $clear -lt 2 ] && [ $looks -lt 500 ]; do
    if kill_marked; then clear=0; else clear=$((clear + 1)); fi
    looks=$((looks + 1))
    sleep 0.02
done

# The shared memory of a killed PostgreSQL has the inode of its data directory for a key, and is its owner's.
claims=
for data in ./postgres/*/; do
    [ -d "$data" ] && [ ! -L "${data%/}" ] || continue
    set -- $(ls -din "$data")
    claims="$claims $(($1 & 0xffffffff)):$4"
done

# Frees it; fails when none of it is left. While the system takes a dead process apart, it still counts as attached.
free_claimed() {
    found=1
    while read -r key id _ _ _ _ attached _ _ creator _; do
        case $key in *[!0-9-]*) continue ;; esac
        case "$claims " in *" $((key & 0xffffffff)):$creator "*) ;; *) continue ;; esac
        found=0
        [ "$attached" != 0 ] || ipcrm -m "$id"
    done </proc/sysvipc/shm
    return $found
}

looks=0
while free_claimed && [ $looks -lt 500 ]; do
    looks=$((looks + 1))
    sleep 0.02
done

# The lock goes last: a sweep knows by it what is dead.
for entry in ./* ./.[!.]* ./..?*; do
    [ "${entry##*/}" = owner.lock ] || rm -rf -- "$entry"
done
rm -f -- ./owner.lock
# Follows no link, and takes an empty directory only.
rmdir -- "$directory"
