# SPDX-License-Identifier: MIT
# Completion of brood for bash. The program knows what may come next; this only asks it, and leaves
# to bash what bash knows: files, users, other commands.

_brood() {
    local line current=${COMP_WORDS[COMP_CWORD]}
    local -a found
    # bash cuts words at "=", which is then a word of its own.
    [[ $current == = ]] && current=
    COMPREPLY=()
    while IFS= read -r line; do
        found=()
        case $line in
        :files | :directories)
            compopt -o filenames 2>/dev/null
            # -f or -d
            mapfile -t found < <(compgen -"${line:1:1}" -- "$current")
            ;;
        :users) mapfile -t found < <(compgen -u -- "$current") ;;
        :groups) mapfile -t found < <(compgen -g -- "$current") ;;
        :command\ *)
            if declare -F _command_offset >/dev/null; then
                _command_offset $((${line#:command } + 1))
            else
                compopt -o filenames 2>/dev/null
                mapfile -t found < <(compgen -c -f -- "$current")
            fi
            ;;
        *) found=("${line%%$'\t'*}") ;;
        esac
        COMPREPLY+=("${found[@]}")
    done < <("${COMP_WORDS[0]}" completion -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -F _brood brood
