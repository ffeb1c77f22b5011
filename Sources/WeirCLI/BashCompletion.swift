/// Bash divides words at ':' and '=', so that the generated function sees 'shadow', ':' and '100%',
/// and no value after `--to=`. The code after it joins the parts, separates `--to=value` at the
/// first '=', and removes from the replies what bash does not replace.
enum BashCompletion {
    static func script(_ generated: String) -> String { generated + "\n\n" + wholeWords + "\n" }

    private static let wholeWords = #"""
        _weir_whole_words() {
            local rest="${COMP_LINE}" word
            local -a words=()
            local -i index last=-1
            for ((index = 0; index <= COMP_CWORD; index++)); do
                word="${COMP_WORDS[index]}"
                # A part without space before it continues a word.
                if ((last < 0)) || [[ -z "${rest}" || "${rest}" == [[:space:]]* ]]; then
                    rest="${rest#"${rest%%[![:space:]]*}"}"
                    words+=("${word}")
                    last+=1
                else
                    words[last]+="${word}"
                fi
                rest="${rest#"${word}"}"
            done
            # The word ends at the cursor.
            index=$((${#COMP_LINE} - ${#rest} - COMP_POINT))
            ((index <= 0)) || words[last]="${words[last]%"${COMP_LINE:COMP_POINT:index}"}"
            if [[ "${words[last]}" == --*=* ]]; then
                word="${words[last]}"
                words[last]="${word%%=*}"
                words+=("${word#*=}")
                last+=1
            fi
            local -r cur="${words[last]}" prev="${words[last > 0 ? last - 1 : 0]}" own="${2}"
            local -a COMP_WORDS=("${words[@]}")
            local -i COMP_CWORD="${last}"
            local COMP_LINE="${words[*]}"
            local -i COMP_POINT="${#COMP_LINE}"
            _weir "${1}" "${cur}" "${prev}"
            # A weight follows 'backend=', not a space. File names have escaped characters.
            [[ "${COMPREPLY[0]-}" != *= ]] || compopt +o filenames -o nospace 2>/dev/null
            # Bash replaces its own part of the word only.
            if [[ "${cur}" == *"${own}" ]]; then
                COMPREPLY=("${COMPREPLY[@]#"${cur%"${own}"}"}")
            else
                COMPREPLY=("${COMPREPLY[@]/#/"${own%"${cur}"}"}")
            fi
        }
        complete -o filenames -F _weir_whole_words weir
        """#
}
