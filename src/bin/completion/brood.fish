# SPDX-License-Identifier: MIT
# Completion of brood for fish. The program knows what may come next; this only asks it, and leaves
# to fish what fish knows: files, users, other commands.

function __brood_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in ($program completion -- $words $current 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (string replace -r -- '^--[^=]*=' '' $current)
            case :directories
                __fish_complete_directories (string replace -r -- '^--[^=]*=' '' $current)
            case :users
                __fish_complete_users
            case :groups
                __fish_complete_groups
            case ':command *'
                set -l skip (string replace ':command ' '' -- $line)
                set -l rest
                if test (count $words) -gt $skip
                    set rest $words[(math $skip + 1)..-1]
                end
                complete -C (string join ' ' -- (string escape -- $rest) $current)
            case '*'
                echo $line
        end
    end
end

complete -c brood -f -a '(__brood_complete)'
