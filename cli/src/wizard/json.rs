//! JSON as people write it into settings files: with comments, and commas after the last item.

/// JSON with comments and trailing commas as plain JSON. Text in strings stays.
pub(crate) fn without_comments(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                output.push('"');
                while let Some(inner) = characters.next() {
                    output.push(inner);
                    match inner {
                        '\\' => output.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if characters.peek() == Some(&'/') => {
                while characters.next_if(|next| *next != '\n').is_some() {}
            }
            '/' if characters.peek() == Some(&'*') => {
                characters.next();
                let mut last = ' ';
                for inner in characters.by_ref() {
                    if last == '*' && inner == '/' {
                        break;
                    }
                    last = inner;
                }
                output.push(' ');
            }
            '}' | ']' => {
                let length = output.trim_end().len();
                if output[..length].ends_with(',') {
                    output.truncate(length - 1);
                }
                output.push(character);
            }
            other => output.push(other),
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn comments_and_trailing_commas_go_and_strings_stay() {
        let text =
            "{ // c\n \"a\": \"// no /* no */ ,}\", /* x\n */ \"b\": [1, 2,\n ], \"q\": \"\\\"//\",\n}";
        let value: Value = serde_json::from_str(&without_comments(text)).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"a": "// no /* no */ ,}", "b": [1, 2], "q": "\"//"})
        );
    }

    proptest! {
        #[test]
        fn plain_json_stays_what_it_is(text in "[ -~\n]{0,40}", number in any::<i32>()) {
            let value = serde_json::json!({"a": text, "b": [number, {"c": null}]});
            let shown = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&without_comments(&shown)).unwrap(), value);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            without_comments(&text);
        }
    }
}
