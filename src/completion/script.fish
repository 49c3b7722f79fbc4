# Completion of @NAME@ for fish. @NAME@ itself reports what can stand at the cursor.
function __@FUNCTION@_complete
    # A room begins with #, which fish takes for a comment unless it is quoted.
    set -l word (commandline -ct | string replace -r -- '^[\'"\\\\]' '')
    set -l reply (@NAME@ completions fish -- (commandline -opc) "$word" 2>/dev/null)
    set -l before (string match -r -- '^--[^=]*=' "$word")
    set -l value (string replace -r -- '^--[^=]*=' '' "$word")
    switch "$reply[1]"
        case words
            string join -- \n $reply[2..-1]
        case files
            printf "$before%s\n" (__fish_complete_path "$value")
        case folders
            printf "$before%s\n" (__fish_complete_directories "$value")
        case commands
            printf "$before%s\n" (__fish_complete_command)
    end
end
complete -c @NAME@ -f -a '(__@FUNCTION@_complete)'
