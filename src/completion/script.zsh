#compdef @NAME@
# Completion of @NAME@ for zsh. @NAME@ itself reports what can stand at the cursor.
_@NAME@() {
    local -a reply offers
    local line tab=$'\t'
    # A room begins with #, which zsh takes for a comment unless it is quoted.
    local word=${PREFIX#[\'\"\\]}
    reply=("${(@f)$(@NAME@ completions zsh -- "${(@)words[1,CURRENT-1]}" "$word" 2>/dev/null)}")
    case $reply[1] in
        words)
            for line in "${(@)reply[2,-1]}"; do
                offers+=("${${line%%$tab*}//:/\\:}${${line#*$tab}:+:${line#*$tab}}")
            done
            _describe -t values 'value' offers ;;
        files)
            [[ $PREFIX == --*=* ]] && compset -P '*='
            _files ;;
        folders)
            [[ $PREFIX == --*=* ]] && compset -P '*='
            _files -/ ;;
        commands)
            [[ $PREFIX == --*=* ]] && compset -P '*='
            _command_names -e ;;
    esac
}
if [[ $funcstack[1] == _@NAME@ ]]; then
    _@NAME@ "$@"
else
    compdef _@NAME@ @NAME@
fi
