//! Keys of other services, told by their shape.
//!
//! People keep many keys in one file of variables, and paste the wrong one. A value with one of
//! these shapes is not sent to any Hub: whoever runs that Hub, or reads its log, would have the
//! key. Only shapes that the services document, or that secret scanners (gitleaks, `TruffleHog`,
//! GitHub's secret scanning) agree on, are here, and only those with a prefix or another mark of
//! their own: artifact stores and mirrors issue tokens of their own shapes, JWTs and 40 hexadecimal
//! digits among them, which must go on to work there.

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
const SHAPES: [Shape; 50] = [
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
    shape("an access key of AWS", "AKIA", upper, 12),
    shape("an access key of AWS", "ASIA", upper, 12),
    shape("an API key of Google", "AIza", word, 30),
    shape("an OAuth token of Google", "ya29.", word, 20),
    shape("an OAuth secret of Google", "GOCSPX-", word, 16),
    shape("a token of Slack", "xoxa-", word, 8),
    shape("a token of Slack", "xoxb-", word, 8),
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

/// `SG.`, 22 characters, a dot, 43 characters.
fn is_sendgrid(value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    matches!(parts[..], ["SG", id, secret]
        if id.len() >= 16 && secret.len() >= 30 && id.bytes().chain(secret.bytes()).all(word))
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
mod tests {
    use super::*;

    /// `{}` stands for 48 letters and digits, `{x}` for 64 hexadecimal digits.
    fn made(template: &str) -> String {
        template
            .replace("{x}", &"0123456789abcdef".repeat(4))
            .replace("{}", &"Fake0Fake1Fa".repeat(4))
    }

    #[test]
    fn keys_of_other_services_are_told() {
        for (template, service) in [
            ("sk-ant-api03-{}AA", "Anthropic"),
            ("sk-or-v1-{x}", "OpenRouter"),
            ("sk-proj-{}", "OpenAI"),
            ("sk-proj-FakeFake", "OpenAI"),
            ("sk-svcacct-{}_-{}", "OpenAI"),
            ("sk-{}", "OpenAI"),
            ("ghp_{}", "GitHub"),
            ("gho_{}", "GitHub"),
            ("ghu_{}", "GitHub"),
            ("ghs_{}", "GitHub"),
            ("ghr_{}", "GitHub"),
            ("github_pat_11FAKE_{}", "GitHub"),
            ("glpat-FakeFake-Fake_FakeFa", "GitLab"),
            ("AKIAFAKEFAKEFAKEFAKE", "AWS"),
            ("ASIAFAKEFAKEFAKEFAKE", "AWS"),
            ("AIzaSyFake-Fake_FakeFakeFakeFakeFakeFakeF", "Google"),
            ("ya29.{}", "Google"),
            ("xoxb-123456789012-123456789012-FakeFake", "Slack"),
            ("xapp-1-A0FAKE-123-{x}", "Slack"),
            ("sk_live_{}", "Stripe"),
            ("rk_live_{}", "Stripe"),
            ("wandb_v1_{}_{}", "Weights & Biases"),
            ("KGAT_0123456789abcdef0123456789abcdef", "Kaggle"),
            ("pypi-AgEIcHlwaS5vcmc{}", "PyPI"),
            ("npm_FakeFakeFakeFakeFakeFakeFakeFakeFake", "npm"),
            ("dckr_pat_FakeFakeFakeFake-FakeFake_Fa", "Docker"),
            ("r8_FakeFakeFakeFakeFakeFakeFakeFakeFakeF", "Replicate"),
            ("gsk_{}", "Groq"),
            ("pplx-{}", "Perplexity"),
            ("xai-{}", "xAI"),
            ("nvapi-{}", "NVIDIA"),
            ("dop_v1_{x}", "DigitalOcean"),
            ("dapi0123456789abcdef0123456789abcdef", "Databricks"),
            ("hvs.{}", "Vault"),
            ("ATATT3{}=FAKE", "Atlassian"),
            (
                "SG.FakeFakeFakeFakeFakeFa.FakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak",
                "SendGrid",
            ),
            ("abc8Q~FakeFakeFakeFakeFakeFakeFakeFakeF", "Azure"),
            ("hubtoken_admin_{}", "embedded Hub"),
        ] {
            let what = recognize(&made(template)).unwrap_or("nothing");
            assert!(what.contains(service), "{template}: {what}");
        }
    }

    #[test]
    fn tokens_of_hubs_and_mirrors_are_not_taken_for_keys() {
        for template in [
            "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX",
            "hf_oauth_eyFake.eyFake.Fa-_ke",
            "api_org_FakeFakeFakeFakeFakeFakeFakeFakeXX",
            "api_FakeFakeFakeFake",
            // JWTs of identity providers and of artifact stores.
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmYWtlIn0.{}",
            // Artifactory's API keys and reference tokens, Nexus' user tokens.
            "AKCp{}FakeFakeFakeFakeFakeF",
            "cmVmdGtuOjAx{}",
            "NpmToken.{}",
            // Gitea's, GitHub's old and Weights & Biases' old: 40 hexadecimal digits.
            "0123456789abcdef0123456789abcdef01234567",
            "ms-01234567-89ab-cdef-0123-456789abcdef",
            "team-FakeFakeFakeFakeFakeFakeFakeFakeXX",
            "some.other/token+68==",
            // Too short, or with characters that such keys do not have.
            "sk-short",
            "sk-learn.datasets/secret",
            "AKIA",
            "ASIAN-mirror-token-FakeFakeFake",
            "AKIAfakefakefakefake",
            "npm_registry",
            "r8_short",
            "gsk_short",
            "dapi-mirror-token-FakeFakeFakeFakeFake",
            "SG.mirror.token",
            "xai-mirror",
            "a",
            "",
        ] {
            assert_eq!(recognize(&made(template)), None, "{template}");
        }
    }
}
