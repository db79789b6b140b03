# Unpack.

at_unpack() {
    file=$1 sum=$2 version=$3 here=''
    version_ok "$version"
    whole_and_alone
    not_of_dpkg
    noted=$PREFIX/.bundle.$version
    if [ -x "$PREFIX/$version/bin/jianwei" ] && whole "$PREFIX/$version"; then
        if [ "$(record "$version")" = "$sum" ]; then
            rm -f "$file" "$file.boot"
            tell unpacked same
            return
        fi
        case $version in "$(link current)" | "$(link previous)") here=$PREFIX/$version ;; esac
    fi
    [ -f "$file" ] || fail "$file is not here: upload it again"
    # who uploaded it checked it, in the boot that it noted
    if [ "$(cat "$file.boot" 2>/dev/null)" != "$(boot)" ] && [ "$(sum_of "$file")" != "$sum" ]; then
        rm -f "$file" "$file.boot"
        fail "the bundle is not as it was sent: upload it again"
    fi
    tidy "$version"
    size=$(tail -c 4 "$file" | od -An -tu4 | tr -d ' ')
    enough $((size + size / 8))
    new=$PREFIX/.new.$version
    mkdir "$new" || fail "$new cannot be made"
    # all of a bundle that has its sum is as it was made, if these two say so: its files are not summed again
    { gzip -dc "$file" || : >"$new/.bad"; } | tar -xof - -C "$new" || : >"$new/.bad"
    [ ! -e "$new/.bad" ] || spoilt "$new" "$file cannot be unpacked"
    if [ -z "$here" ]; then
        rm -f "$noted" # until there is one of what comes
        adopt "$new" "$version"
    elif [ "$(sum_of "$new"/*/MANIFEST.sha256)" != "$(sum_of "$here/MANIFEST.sha256")" ]; then
        spoilt "$new" "release $version is here with other content: give the new one another version"
    fi
    (printf '%s\n' "$sum" && boot) >"$noted"
    rm -rf "$new" "$file" "$file.boot"
    tell unpacked "$version"
}

boot() { cat /proc/sys/kernel/random/boot_id; }

enough() {
    needs=$((($1 >> 20) + 8)) has=$(room "$PREFIX")
    [ "$has" -ge "$needs" ] || fail "no room: needs $needs MB, has $has MB on $PREFIX"
}

spoilt() {
    rm -rf "$1"
    fail "$2"
}

# The only folder in $1 as release $2.
adopt() {
    set -- "$1" "$2" "$1"/*
    if [ $# -ne 3 ] || [ ! -x "$3/bin/jianwei" ]; then spoilt "$1" "this is no bundle of jianwei"; fi
    chmod -R go-w,u+rwX,go+rX,a-st "$3" || spoilt "$1" "permissions cannot be set"
    touch "$3"
    [ ! -d "$PREFIX/$2" ] || mv "$PREFIX/$2" "$PREFIX/.gone.$2"
    mv "$3" "$PREFIX/$2" || spoilt "$1" "$PREFIX/$2 cannot be made"
    rm -rf "$PREFIX/.gone.$2"
}
