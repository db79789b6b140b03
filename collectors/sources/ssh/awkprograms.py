"""The awk programs that run on a host: what they print is all that leaves it of these files."""

from __future__ import annotations

from collectors import pemblocks, secretwords

# Each of many files as a match and its content: its certificates, or all of it.
# Of the environment only its owner sees, of arguments everybody on the host: the nonce is in the former.
_EACH = r"""
BEGIN { N = ENVIRON["N"] }
FNR == 1 { printf "\n%s m\n%s\n%s c\n", N, FILENAME, N; on = 0 }"""
# Of a file whose name begins with // all but its secrets, of another its certificates.
_MASKED = """
FNR == 1 { secrets = substr(FILENAME, 1, 2) == "//" }
secrets { print masked($0); next }
"""
REDUCED = secretwords.AWK + _EACH + _MASKED + pemblocks.AWK
MASKED = secretwords.AWK + "{ print masked($0) }\n"
LINES = _EACH + "{ print }"

# A hash never crosses the wire: only its scheme, or a word for what stands in its place.
SHADOW = r"""
BEGIN { FS = OFS = ":" }
/^[ \t\r]*$/ { print ""; next }
NF < 2 { print "malformed"; next }
{
    if ($2 ~ /^!/) $2 = "!"
    else if ($2 ~ /^\*/) $2 = "*"
    else if (match($2, /^\$[A-Za-z0-9-]+[$,]/) && RLENGTH < 19) $2 = substr($2, 1, RLENGTH - 1) "$"
    else if ($2 != "") $2 = length($2) == 13 ? "0000000000000" : "other"
    for (i = 3; i <= NF; i++) if ($i !~ /^-?[0-9]*$/) $i = "malformed"
    print
}
"""

# Of a key only its length crosses the wire, of options the names, of a comment the length. What is
# longer than the limit ends with a comment that says so.
AUTHORIZED_KEYS = r"""
BEGIN { FS = "[ \t]+" }
function is_type(word) { return length(word) < 66 && word ~ /^(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+$/ }
function option(word) {
    sub(/=.*/, "", word)
    return word ~ /^[A-Za-z0-9-]+$/ && length(word) < 20 && index(known, " " tolower(word) " ") ? word : "other"
}
function rest(word,    text) {
    text = word
    for (i++; i <= NF; i++) text = text " " $i
    gsub(/./, "x", text)
    return text
}
{ size += length($0) + 1; gsub(/^[ \t]+|[ \t]+$/, "") }
$0 == "" || /^#/ { print ""; next }
{
    head = ""
    if (!is_type($1)) {
        gsub(/\\"/, ""); gsub(/"[^"]*"/, ""); gsub(/^[ \t]+|[ \t]+$/, "")
        n = split($1, words, ",")
        for (i = 1; i <= n; i++) head = head (i > 1 ? "," : "") option(words[i])
        head = head " "
        i = 2
    } else i = 1
    if (!is_type($i) || i >= NF) { print "malformed"; next }
    head = head $i
    i++
    key = $i
    gsub(/[^=]/, "A", key)
    head = head " " key
    i++
    if (i <= NF) head = head " " rest($i)
    print head
}
END { if (size > limit) print "#long" }
"""
