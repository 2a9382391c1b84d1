//! Recognizes keys of other services by their format.
//!
//! Users keep many keys in one file of variables and paste the wrong one. A value in one of these
//! formats is not sent to any Hub, whose operator or logs would then have the key. The list
//! contains only formats that the services document, or that secret scanners (gitleaks,
//! `TruffleHog`, GitHub's secret scanning) agree on, and only those with a distinctive prefix or
//! mark: artifact stores and mirrors issue tokens in formats of their own, including JWTs and 40
//! hexadecimal digits, and those must keep working there.
//!
//! The same formats are redacted in output: see [`crate::sanitize`].

/// A format: a prefix followed by enough characters of an alphabet.
struct Shape {
    what: &'static str,
    prefix: &'static str,
    alphabet: fn(u8) -> bool,
    /// The minimum number of characters after the prefix. Smaller than the services' own lengths,
    /// since a key that was truncated when copied must not be sent either.
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

/// The first match decides, so longer prefixes come before shorter ones.
const SHAPES: [Shape; 76] = [
    shape("an API key of Anthropic", "sk-ant-", word, 8),
    shape("an API key of OpenRouter", "sk-or-v1-", word, 8),
    shape("an API key of OpenAI", "sk-proj-", word, 8),
    shape("an API key of OpenAI", "sk-svcacct-", word, 8),
    shape("an API key of OpenAI", "sk-admin-", word, 8),
    // DeepSeek, Moonshot and LiteLLM use the same format.
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
    // Often copied from a cookie, with escapes such as %2B.
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

/// Describes a value if it looks like the key of another service: "an API key of `OpenAI`".
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

/// An unbroken run of this many letters and digits distinguishes a key from hyphenated words.
const UNBROKEN: usize = 16;
/// A prefix up to this length that ends in a separator may also begin ordinary words: `sk-`.
const COMMON_PREFIX: usize = 4;

/// The key that begins at a position of a text: the lengths of its prefix and of the whole key.
///
/// Stricter than [`recognize`] about prefixes that ordinary words share, since the text is not a
/// single value: `sk-learn-some-long-name` is not a key.
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

/// The pairs of characters that can begin a key, indexed by the first character. Hardly any
/// position of a text needs a closer check.
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
mod tests;
#[cfg(test)]
pub(crate) use tests::samples;
