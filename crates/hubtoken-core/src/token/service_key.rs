//! Keys of other services, told by their shape.
//!
//! People keep many keys in one file of variables, and paste the wrong one. A value with one of
//! these shapes is not sent to any Hub: whoever runs that Hub, or reads its log, would have the
//! key. Only shapes that the services document, or that secret scanners (gitleaks, `TruffleHog`,
//! GitHub's secret scanning) agree on, are here, and only those with a prefix or another mark of
//! their own: artifact stores and mirrors issue tokens of their own shapes, JWTs and 40 hexadecimal
//! digits among them, which must go on to work there.
//!
//! The same shapes are looked for in what is shown: see [`crate::printable`].

/// A shape: what begins with the prefix and goes on with enough characters of the alphabet.
struct Shape {
    what: &'static str,
    prefix: &'static str,
    alphabet: fn(u8) -> bool,
    /// How many characters follow the prefix at least. Shorter than the services' own: a key that
    /// was cut off when it was copied is as much out of place.
    shortest: usize,
}

const fn shape(
    what: &'static str,
    prefix: &'static str,
    alphabet: fn(u8) -> bool,
    shortest: usize,
) -> Shape {
    Shape {
        what,
        prefix,
        alphabet,
        shortest,
    }
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn dotted(byte: u8) -> bool {
    word(byte) || byte == b'.'
}

fn base64(byte: u8) -> bool {
    dotted(byte) || matches!(byte, b'+' | b'/' | b'=')
}

fn escaped(byte: u8) -> bool {
    base64(byte) || byte == b'%'
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn hexadecimal(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// The first that fits decides, so a longer prefix stands before a shorter one.
const SHAPES: [Shape; 76] = [
    shape("an API key of Anthropic", "sk-ant-", word, 8),
    shape("an API key of OpenRouter", "sk-or-v1-", word, 8),
    shape("an API key of OpenAI", "sk-proj-", word, 8),
    shape("an API key of OpenAI", "sk-svcacct-", word, 8),
    shape("an API key of OpenAI", "sk-admin-", word, 8),
    // DeepSeek, Moonshot and LiteLLM write theirs in the same way.
    shape(
        "an API key of OpenAI or of a service like it",
        "sk-",
        word,
        16,
    ),
    shape("a token of GitHub", "github_pat_", word, 16),
    shape("a token of GitHub", "ghp_", alphanumeric, 16),
    shape("a token of GitHub", "gho_", alphanumeric, 16),
    shape("a token of GitHub", "ghu_", alphanumeric, 16),
    shape("a token of GitHub", "ghs_", dotted, 16),
    shape("a token of GitHub", "ghr_", alphanumeric, 16),
    shape("a token of GitLab", "glpat-", dotted, 16),
    shape("a token of GitLab", "gldt-", dotted, 16),
    shape("a token of GitLab", "glrt-", dotted, 16),
    shape("a token of GitLab", "glcbt-", dotted, 16),
    shape("a token of GitLab", "glptt-", dotted, 16),
    shape("a token of GitLab", "glft-", dotted, 16),
    shape("a token of GitLab", "glsoat-", dotted, 16),
    shape("a token of GitLab", "glagent-", dotted, 16),
    shape("an access key of AWS", "AKIA", upper, 12),
    shape("an access key of AWS", "ASIA", upper, 12),
    shape("an access key of AWS", "ABIA", upper, 12),
    shape("an API key of Google", "AIza", word, 30),
    shape("an OAuth token of Google", "ya29.", word, 20),
    shape("an OAuth secret of Google", "GOCSPX-", word, 16),
    shape("a token of Slack", "xoxa-", word, 8),
    shape("a token of Slack", "xoxb-", word, 8),
    shape("a token of Slack", "xoxc-", word, 8),
    // Often copied from a cookie, with %2B and its like in it.
    shape("a token of Slack", "xoxd-", escaped, 8),
    shape("a token of Slack", "xoxe.xox", word, 8),
    shape("a token of Slack", "xoxe-", word, 8),
    shape("a token of Slack", "xoxp-", word, 8),
    shape("a token of Slack", "xoxr-", word, 8),
    shape("a token of Slack", "xoxs-", word, 8),
    shape("a token of Slack", "xapp-", word, 8),
    shape("a key of Stripe", "sk_live_", alphanumeric, 8),
    shape("a key of Stripe", "sk_test_", alphanumeric, 8),
    shape("a key of Stripe", "rk_live_", alphanumeric, 8),
    shape("a key of Stripe", "rk_test_", alphanumeric, 8),
    shape(
        "a secret of a webhook (of Stripe or a service like it)",
        "whsec_",
        base64,
        24,
    ),
    shape("an API key of Weights & Biases", "wandb_v1_", word, 16),
    shape("an API token of Kaggle", "KGAT_", alphanumeric, 16),
    shape("a token of PyPI", "pypi-AgE", word, 16),
    shape("a token of npm", "npm_", alphanumeric, 30),
    shape("a token of Docker", "dckr_pat_", word, 16),
    shape("a token of Docker", "dckr_oat_", word, 16),
    shape("an API token of Replicate", "r8_", alphanumeric, 30),
    shape("an API key of Groq", "gsk_", alphanumeric, 30),
    shape("an API key of Perplexity", "pplx-", alphanumeric, 16),
    shape("an API key of xAI", "xai-", alphanumeric, 30),
    shape("an API key of NVIDIA", "nvapi-", word, 16),
    shape("a token of DigitalOcean", "dop_v1_", hexadecimal, 16),
    shape("a token of DigitalOcean", "doo_v1_", hexadecimal, 16),
    shape("a token of Databricks", "dapi", hexadecimal, 32),
    shape("a token of HashiCorp Vault", "hvs.", word, 16),
    shape("a token of HashiCorp Vault", "hvb.", word, 16),
    shape("a token of Grafana", "glsa_", word, 32),
    shape("a token of Grafana", "glc_", base64, 32),
    shape("a token of Shopify", "shpat_", hexadecimal, 24),
    shape("a secret of Shopify", "shpss_", hexadecimal, 24),
    shape("an API key of Linear", "lin_api_", alphanumeric, 24),
    shape("a token of Notion", "ntn_", alphanumeric, 30),
    shape("a token of Doppler", "dp.pt.", alphanumeric, 24),
    shape("an API key of RubyGems", "rubygems_", hexadecimal, 24),
    shape("a token of Figma", "figd_", word, 24),
    shape("a token of Supabase", "sbp_", hexadecimal, 24),
    shape("an API key of LangSmith", "lsv2_pt_", word, 24),
    shape("an API key of Together AI", "tgp_v1_", word, 24),
    shape("an API key of Fireworks AI", "fw_", alphanumeric, 20),
    shape("an API key of Cerebras", "csk-", alphanumeric, 24),
    shape("an API key of Pinecone", "pcsk_", word, 30),
    shape("an API key of Tavily", "tvly-", word, 24),
    shape("an API key of Jina AI", "jina_", word, 40),
    shape("a token of Atlassian", "ATATT3", base64, 30),
    shape(
        "the admin key of an embedded Hub",
        "hubtoken_admin_",
        word,
        16,
    ),
];

/// What a value looks like, if it looks like the key of another service: "an API key of `OpenAI`".
pub(crate) fn recognize(value: &str) -> Option<&'static str> {
    let by_prefix = SHAPES.iter().find(|shape| {
        value.strip_prefix(shape.prefix).is_some_and(|rest| {
            rest.len() >= shape.shortest && rest.bytes().all(|byte| (shape.alphabet)(byte))
        })
    });
    by_prefix
        .map(|shape| shape.what)
        .or_else(|| is_sendgrid(value).then_some("an API key of SendGrid"))
        .or_else(|| is_azure_secret(value).then_some("a client secret of Azure"))
}

/// An unbroken run of so many letters and digits tells a key from words with hyphens.
const UNBROKEN: usize = 16;
/// A prefix that is no longer, and ends in a separator, may begin words of prose as well: `sk-`.
const COMMON_PREFIX: usize = 4;

/// The key that begins at a position of a text: how long its prefix and the whole of it are.
///
/// Stricter than [`recognize`] about prefixes that ordinary words share, since a text is no value:
/// `sk-learn-some-long-name` is not a key.
pub(crate) fn key_at(text: &str, position: usize) -> Option<(usize, usize)> {
    let text = text.as_bytes().get(position..)?;
    let run = |bytes: &[u8], fits: fn(u8) -> bool| {
        let misfit = bytes.iter().position(|byte| !fits(*byte));
        misfit.unwrap_or(bytes.len())
    };
    let by_prefix = SHAPES.iter().find_map(|shape| {
        let rest = text.strip_prefix(shape.prefix.as_bytes())?;
        let length = run(rest, shape.alphabet);
        let is_common = shape.prefix.len() <= COMMON_PREFIX
            && !shape
                .prefix
                .ends_with(|end: char| end.is_ascii_alphanumeric());
        let is_key = length >= shape.shortest
            && (!is_common
                || rest[..length]
                    .split(|byte| !byte.is_ascii_alphanumeric())
                    .any(|part| part.len() >= UNBROKEN));
        is_key.then(|| (shape.prefix.len(), shape.prefix.len() + length))
    });
    by_prefix.or_else(|| {
        let word = &text[..run(text, |byte| dotted(byte) || byte == b'~')];
        let word = std::str::from_utf8(word).ok()?.trim_end_matches('.');
        if is_sendgrid(word) {
            Some((3, word.len()))
        } else {
            is_azure_secret(word).then_some((0, word.len()))
        }
    })
}

/// The pairs of characters that begin a key, by the first character: nearly no place of a text
/// needs a closer look.
pub(crate) const fn beginnings() -> [u128; 128] {
    let mut pairs = [0; 128];
    let mut index = 0;
    while index < SHAPES.len() {
        let prefix = SHAPES[index].prefix.as_bytes();
        pairs[prefix[0] as usize] |= 1 << prefix[1];
        index += 1;
    }
    pairs[b'S' as usize] |= 1 << b'G';
    pairs
}

/// `SG.`, 22 characters, a dot, 43 characters.
fn is_sendgrid(value: &str) -> bool {
    let Some((id, secret)) = value
        .strip_prefix("SG.")
        .and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    id.len() >= 16 && secret.len() >= 30 && id.bytes().chain(secret.bytes()).all(word)
}

/// Three characters, a digit, `Q~`, and 31 to 34 characters.
fn is_azure_secret(value: &str) -> bool {
    let bytes = value.as_bytes();
    (37..=40).contains(&bytes.len())
        && bytes[3].is_ascii_digit()
        && bytes[4..6] == *b"Q~"
        && bytes.iter().all(|byte| dotted(*byte) || *byte == b'~')
}

#[cfg(test)]
#[path = "service_key_tests.rs"]
mod tests;
#[cfg(test)]
pub(crate) use tests::samples;
