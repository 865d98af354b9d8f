#compdef brood
# SPDX-License-Identifier: MIT
# Completion of brood for zsh. The program knows what may come next; this only asks it, and leaves
# to zsh what zsh knows: files, users, other commands.

_brood() {
    local line word skip
    local -a candidates
    local -a before=("${(@Q)words[2,CURRENT-1]}")

    for line in ${(f)"$("${(Q)words[1]}" completion -- "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)"}; do
        case $line in
        :files) compset -P '--*='; _files ;;
        :directories) compset -P '--*='; _files -/ ;;
        :users) compset -P '--*='; _users ;;
        :groups) compset -P '--*='; _groups ;;
        :command\ *)
            skip=$((${line#:command } + 1))
            words=("${(@)words[skip + 1,-1]}")
            ((CURRENT -= skip))
            _normal
            ;;
        *)
            word=${line%%$'\t'*}
            candidates+=("${word//:/\\:}:${line#*$'\t'}")
            ;;
        esac
    done
    ((${#candidates})) && _describe -V brood candidates
}

if [[ ${funcstack[1]} == _brood ]]; then
    _brood "$@"
else
    compdef _brood brood
fi
