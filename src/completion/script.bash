# Completion of @NAME@ for bash. @NAME@ itself reports what can stand at the cursor.
_@FUNCTION@() {
    local line=${COMP_LINE:0:COMP_POINT} word words=() reply kind

    # Bash also splits words at = and :. This loop joins the pieces that no white space separates.
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ ${#words[@]} -eq 0 || -z $line || $line == [[:space:]]* ]]; then
            line=${line#"${line%%[![:space:]]*}"}
            words+=("${line:0:${#word}}")
        else
            words[${#words[@]}-1]+=${line:0:${#word}}
        fi
        line=${line:${#word}}
    done
    word=${words[${#words[@]}-1]}

    # A room begins with #, which bash takes for a comment unless it is quoted.
    words[${#words[@]}-1]=${word#[\'\"\\]}
    { IFS= read -r kind; mapfile -t reply; } < <(@NAME@ completions bash -- "${words[@]}" 2>/dev/null)

    # Bash replaces only what comes after the last = or :.
    local rest=${word##*[=:]}
    local before=${word%"$rest"}
    COMPREPLY=()
    case $kind in
        words)
            reply=("${reply[@]%%$'\t'*}")
            COMPREPLY=("${reply[@]#"$before"}")
            # Bash keeps a quote that was typed, and closes it.
            if [[ $word != [\'\"]* ]]; then
                for word in "${!COMPREPLY[@]}"; do
                    [[ ${COMPREPLY[word]} == '#'* ]] && COMPREPLY[word]="'${COMPREPLY[word]}'"
                done
            fi ;;
        files)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$rest") ;;
        folders)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$rest") ;;
        commands)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -c -- "$rest") ;;
    esac
}
complete -F _@FUNCTION@ @NAME@
