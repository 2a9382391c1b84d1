//! What is taken out of a pasted line, and what is left as it is.

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::token::Token;

const FAKE: &str = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
const OTHER: &str = "hf_OtherOtherOtherOtherOtherOtherOtXX";
const KEY: &str = "sk-proj-FakeFakeFakeFakeFakeFakeFakeFake";

/// The value and the line of a text in which `@` stands for a token.
fn taken(template: &str, value: &str) -> (String, Option<PastedLine>) {
    let text = template.replace('@', value);
    let token = Token::parse(&text).unwrap().unwrap();
    let again = Token::take(Zeroizing::new(text)).unwrap().unwrap();
    assert!(again == token && again.pasted_line() == token.pasted_line());
    (token.expose().to_owned(), token.pasted_line())
}

#[test]
fn the_token_is_taken_out_of_a_line() {
    for line in [
        "HF_TOKEN=@",
        "export HF_TOKEN=\"@\"",
        "export HF_TOKEN='@';",
        " export  HF_TOKEN = '@' ; \r\n",
        "export \"HF_TOKEN=@\"",
        "HUGGING_FACE_HUB_TOKEN=@",
        "hf_token = @",
        "hf_token: @",
        "HUGGINGFACEHUB_API_TOKEN=@",
        "HF_API_KEY=@",
        "MY_HF_TOKEN=@",
        "set HF_TOKEN=@",
        "set \"HF_TOKEN=@\"",
        "setx HF_TOKEN \"@\"",
        "set -gx HF_TOKEN @",
        "declare -x HF_TOKEN=\"@\"",
        "$env:HF_TOKEN = \"@\"",
        "$Env:HF_TOKEN='@'",
        "ENV HF_TOKEN=@",
        "ENV HF_TOKEN @",
        "%env HF_TOKEN=@",
        "!export HF_TOKEN=@",
        "-e HF_TOKEN=@",
        "$ export HF_TOKEN=@",
        "- HF_TOKEN=@",
        "HF_TOKEN=@ # for training",
        "HF_TOKEN=@,",
        "os.environ[\"HF_TOKEN\"] = \"@\"",
        "os.environ['HF_TOKEN'] = '@'",
        "token: @",
        "token=\"@\",",
        "\"token\": \"@\",",
        "api_key = '@'",
        "password=@",
        "--token=@",
        "--token @",
        "OPENAI_API_KEY=@",
        "export HF_TOKEN=\u{201c}@\u{201d}",
        "\u{feff}HF_TOKEN=@\n",
        "HF_TOKEN=@ # https://huggingface.co/settings/tokens",
        "-e HF_TOKEN=@ \\",
        "--env=HF_TOKEN=@",
        "--build-arg=\"HF_TOKEN=@\"",
        "Environment=HF_TOKEN=@",
        "Environment=\"HF_TOKEN=@\"",
        "environ[\"HF_TOKEN\"] = \"@\"",
        ">>> token = \"@\"",
    ] {
        let (value, found) = taken(line, FAKE);
        assert_eq!(
            (value.as_str(), found),
            (FAKE, Some(PastedLine::Assignment)),
            "{line}"
        );
    }
    for line in [
        "Bearer @",
        "bearer\t@",
        "\"Bearer @\"",
        "Authorization: Bearer @",
        "authorization:bearer @",
        "Authorization: @",
        "-H \"Authorization: Bearer @\"",
        "--header 'Authorization: Bearer @'",
        "--header=\"Authorization: Bearer @\"",
        "'Authorization': 'Bearer @',",
        "-H 'Authorization: Bearer @' \\",
    ] {
        let (value, found) = taken(line, FAKE);
        assert_eq!(
            (value.as_str(), found),
            (FAKE, Some(PastedLine::Header)),
            "{line}"
        );
    }
}

#[test]
fn quotes_and_punctuation_alone_are_no_line() {
    for text in [
        "@",
        "\"@\"",
        "'\"@\"'",
        "`@`",
        "@;",
        "\"@\",",
        "\u{2018}@\u{2019}",
    ] {
        assert_eq!(taken(text, FAKE), (FAKE.to_owned(), None), "{text}");
    }
}

#[test]
fn a_token_of_another_hub_needs_a_name_of_the_hub() {
    for line in [
        "HF_TOKEN=@",
        "export HF_TOKEN='@'",
        "Authorization: Bearer @",
        "Bearer @",
    ] {
        assert_eq!(
            taken(line, "hunter2-and-some-more").0,
            "hunter2-and-some-more"
        );
    }
    // A value of another format stays whole, whatever it resembles.
    for value in [
        "token=abcdef",
        "key=a",
        "cmVmdGtuOjAxFake==",
        "some.other/token+68==",
    ] {
        assert_eq!(taken("@", value), (value.to_owned(), None));
    }
}

#[test]
fn the_key_of_another_service_is_taken_out_and_so_refused() {
    for line in [
        "HF_TOKEN=@",
        "OPENAI_API_KEY=@",
        "export OPENAI_API_KEY='@'",
        "Bearer @",
    ] {
        let token = Token::parse(&line.replace('@', KEY)).unwrap().unwrap();
        assert_eq!(
            token.foreign_service(),
            Some("an API key of OpenAI"),
            "{line}"
        );
    }
}

#[test]
fn a_name_without_a_value_is_blank_or_a_placeholder() {
    for text in ["HF_TOKEN=", "export HF_TOKEN=\"\"", "HF_TOKEN: ;"] {
        assert!(Token::parse(text).unwrap().is_none(), "{text}");
    }
    for text in [
        "Bearer",
        "Authorization: Bearer",
        "HF_TOKEN=hf_xxx",
        "HF_TOKEN=$TOKEN",
    ] {
        assert!(
            Token::parse(text)
                .unwrap_err()
                .to_string()
                .contains("placeholder"),
            "{text}"
        );
    }
    for text in ["HF_TOKEN=hf_...9xQ2", "Authorization: Bearer hf_****9xQ2"] {
        assert!(
            Token::parse(text)
                .unwrap_err()
                .to_string()
                .contains("masked"),
            "{text}"
        );
    }
}

#[test]
fn nothing_is_guessed() {
    for line in [
        "@ &",
        "& @",
        "HF_TOKEN=@ &",
        "HF_TOKEN=@ HF_TOKEN=&",
        "HF_TOKEN=@;HUGGING_FACE_HUB_TOKEN=&",
        "HF_TOKEN=@,&",
        "HF_TOKEN=@:&",
        "HF_TOKEN=@=&",
        "@=&",
        "@:&",
        "Bearer @ &",
        "Bearer @, Bearer &",
        "HF_TOKEN=@ # was &",
        "HF_TOKEN=@\nHF_TOKEN=&",
        "{\"token\": \"@\"}",
        "{\"token\": \"@\", \"other\": \"&\"}",
        "HF_TOKEN=@ python train.py",
        "export HF_TOKEN=@ && python train.py",
        "curl -H \"Authorization: Bearer @\" https://huggingface.co",
        "https://alice:@@huggingface.co",
        "alice:@",
        "alice=@",
        "ghp_FakeFakeFakeFakeFakeFakeFakeFakeFake=@",
        "HF_TOKEN==@",
        "Authorization: Basic @",
        "token @",
        "print(@)",
    ] {
        let text = line.replace('@', FAKE).replace('&', OTHER);
        let message = Token::parse(&text).unwrap_err().to_string();
        assert!(
            !message.contains("Fake") && !message.contains("Other"),
            "{message}"
        );
        assert!(message.is_ascii());
    }
}

#[test]
fn a_long_line_takes_no_long_time() {
    for part in [
        "$ ",
        "key=",
        "HF_TOKEN=",
        "Bearer ",
        "set ",
        "'\"",
        "{",
        "- key=",
        "token ",
    ] {
        let text = part.repeat(LONGEST / part.len());
        // Neither a crash nor a token.
        assert!(!matches!(Token::parse(&text), Ok(Some(_))), "{part}");
    }
}

proptest! {
    #[test]
    fn what_is_taken_out_is_taken_out_once(
        parts in proptest::collection::vec(
            "HF_TOKEN|token|key|=|:| |export |Bearer |Authorization|'|\"|;|,|\\$ |- |--|\\{|\\}| # |abc|hf_[a-zA-Z]{1,30}",
            0..12,
        )
    ) {
        let text = parts.concat();
        let (value, ..) = strip(&text);
        prop_assert!(text.contains(value));
        let (again, line, _) = strip(value);
        prop_assert_eq!((again, line), (value, None));
    }
}
