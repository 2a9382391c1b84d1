//! The formats of other services' keys, by prefix.

/// A format: a prefix followed by enough characters of an alphabet.
pub(super) struct Shape {
    pub(super) what: &'static str,
    pub(super) prefix: &'static str,
    pub(super) alphabet: fn(u8) -> bool,
    /// The minimum number of characters after the prefix. Smaller than the services' own lengths,
    /// since a key that was truncated when copied must not be sent either.
    pub(super) shortest: usize,
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

pub(super) fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

pub(super) fn dotted(byte: u8) -> bool {
    word(byte) || byte == b'.'
}

fn base64(byte: u8) -> bool {
    dotted(byte) || matches!(byte, b'+' | b'/' | b'=')
}

fn escaped(byte: u8) -> bool {
    base64(byte) || byte == b'%'
}

pub(super) fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn hexadecimal(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn dashed_hexadecimal(byte: u8) -> bool {
    hexadecimal(byte) || byte == b'-'
}

/// The shapes whose prefix begins with a character.
pub(super) fn beginning_with(first: u8) -> &'static [Shape] {
    match GROUPS.get(usize::from(first)) {
        Some(&(start, end)) => &SHAPES[start..end],
        None => &[],
    }
}

/// Where the shapes of each first character are.
const GROUPS: [(usize, usize); 128] = {
    let mut groups = [(0, 0); 128];
    let mut index = 0;
    while index < SHAPES.len() {
        let first = SHAPES[index].prefix.as_bytes()[0] as usize;
        if groups[first].1 == 0 {
            groups[first].0 = index;
        }
        index += 1;
        groups[first].1 = index;
    }
    groups
};

/// In the order of their first characters. The first match decides, so longer prefixes come before
/// shorter ones.
pub(super) const SHAPES: &[Shape] = &[
    shape("an access key of AWS", "A3T", upper, 13),
    shape("an access key of AWS", "ABIA", upper, 12),
    shape("an API key of Amazon Bedrock", "ABSK", base64, 40),
    shape("an access key of AWS", "ACCA", upper, 12),
    shape("a private key of age", "AGE-SECRET-KEY-1", upper, 40),
    shape("an API key of Google", "AIza", word, 30),
    shape("an access key of AWS", "AKIA", upper, 12),
    shape("an access key of Tencent Cloud", "AKID", alphanumeric, 32),
    shape("an API key of Google", "AQ.Ab", word, 30),
    shape("an access key of AWS", "ASIA", upper, 12),
    shape("a token of Atlassian", "ATATT3", base64, 30),
    shape("a token of Atlassian", "ATBB", alphanumeric, 24),
    shape("a token of Atlassian", "ATCTT3", base64, 30),
    shape("a token of CircleCI", "CCIPAT_", word, 30),
    shape("a token of CircleCI", "CCIPRJ_", word, 30),
    shape("a token of Contentful", "CFPAT-", word, 30),
    shape("a token of Clojars", "CLOJARS_", alphanumeric, 40),
    shape("a token of Facebook, Instagram or Square", "EAA", word, 50),
    shape("an API key of EasyPost", "EZAK", alphanumeric, 54),
    shape("an API key of EasyPost", "EZTK", alphanumeric, 54),
    shape("an OAuth secret of Google", "GOCSPX-", word, 16),
    shape("a token of GitLab", "GR1348941", word, 16),
    shape("a token of Heroku", "HRKU-AA", word, 30),
    shape("an API token of Kaggle", "KGAT_", alphanumeric, 16),
    shape("an access key of Alibaba Cloud", "LTAI", alphanumeric, 16),
    shape("a key of New Relic", "NRAK-", upper, 20),
    shape("a key of New Relic", "NRII-", word, 20),
    shape("an API key of Postman", "PMAK-", word, 24),
    shape("an API key of Twilio", "SK", hexadecimal, 32),
    shape("a token of Modal", "ak-", alphanumeric, 20),
    shape("a token secret of Modal", "as-", alphanumeric, 20),
    shape("an API key of Baidu", "bce-v3/ALTAK-", base64, 20),
    shape(
        "an API key of Amazon Bedrock",
        "bedrock-api-key-",
        base64,
        16,
    ),
    shape("a token of Buildkite", "bkua_", hexadecimal, 30),
    shape("a token of crates.io", "cio", alphanumeric, 32),
    shape("an API key of Cerebras", "csk-", alphanumeric, 24),
    shape("a token of Databricks", "dapi", dashed_hexadecimal, 32),
    shape("a token of Docker", "dckr_oat_", word, 16),
    shape("a token of Docker", "dckr_pat_", word, 16),
    shape("a token of DigitalOcean", "doo_v1_", hexadecimal, 16),
    shape("a token of DigitalOcean", "dop_v1_", hexadecimal, 16),
    shape("a token of DigitalOcean", "dor_v1_", hexadecimal, 16),
    shape("a token of Doppler", "dp.audit.", dotted, 24),
    shape("a token of Doppler", "dp.ct.", dotted, 24),
    shape("a token of Doppler", "dp.pt.", dotted, 24),
    shape("a token of Doppler", "dp.sa.", dotted, 24),
    shape("a token of Doppler", "dp.scim.", dotted, 24),
    shape("a token of Doppler", "dp.st.", dotted, 24),
    shape("a token of Dynatrace", "dt0c01.", dotted, 40),
    shape("an API key of E2B", "e2b_", hexadecimal, 32),
    shape("a secret of Anyscale", "esecret_", word, 20),
    shape("an API key of Firecrawl", "fc-", hexadecimal, 32),
    shape("a token of Figma", "figd_", word, 24),
    shape("a token of Figma", "figo_", word, 24),
    shape("a token of Fly.io", "fm2_", base64, 40),
    shape("an API key of Fireworks AI", "fw_", alphanumeric, 20),
    shape("a token of GitHub", "gho_", alphanumeric, 16),
    shape("a token of GitHub", "ghp_", alphanumeric, 16),
    shape("a token of GitHub", "ghr_", alphanumeric, 16),
    shape("a token of GitHub", "ghs_", dotted, 16),
    shape("a token of GitHub", "ghu_", alphanumeric, 16),
    shape("a token of GitHub", "github_pat_", word, 16),
    shape("a token of GitLab", "glagent-", dotted, 16),
    shape("a token of Grafana", "glc_", base64, 32),
    shape("a token of GitLab", "glcbt-", dotted, 16),
    shape("a token of GitLab", "gldt-", dotted, 16),
    shape("a token of GitLab", "glffct-", dotted, 16),
    shape("a token of GitLab", "glft-", dotted, 16),
    shape("a token of GitLab", "glimt-", dotted, 16),
    shape("a token of GitLab", "gloas-", dotted, 16),
    shape("a token of GitLab", "glpat-", dotted, 16),
    shape("a token of GitLab", "glptt-", dotted, 16),
    shape("a token of GitLab", "glrt-", dotted, 16),
    shape("a token of Grafana", "glsa_", word, 32),
    shape("a token of GitLab", "glsoat-", dotted, 16),
    shape("a token of GitLab", "glwt-", dotted, 16),
    shape("an API key of Groq", "gsk_", alphanumeric, 30),
    shape(
        "the admin key of an embedded Hub",
        "hubtoken_admin_",
        word,
        16,
    ),
    shape("a token of HashiCorp Vault", "hvb.", word, 16),
    shape("a token of HashiCorp Vault", "hvr.", word, 16),
    shape("a token of HashiCorp Vault", "hvs.", word, 16),
    shape("an API key of Jina AI", "jina_", word, 40),
    shape("an API key of Mailgun", "key-", hexadecimal, 32),
    shape("an API key of Linear", "lin_api_", alphanumeric, 24),
    shape("a token of Linear", "lin_oauth_", hexadecimal, 24),
    shape("an API key of LangSmith", "lsv2_pt_", word, 24),
    shape("an API key of LangSmith", "lsv2_sk_", word, 24),
    shape("a token of Netlify", "nfp_", alphanumeric, 30),
    shape("a token of npm", "npm_", alphanumeric, 30),
    shape("a token of Notion", "ntn_", alphanumeric, 30),
    shape("an API key of NVIDIA", "nvapi-", word, 16),
    shape("a token of 1Password", "ops_eyJ", base64, 40),
    shape("an API key of NuGet", "oy2", alphanumeric, 40),
    shape("an API key of Voyage AI", "pa-", word, 40),
    shape("a token of HubSpot", "pat-eu", word, 30),
    shape("a token of HubSpot", "pat-na", word, 30),
    shape("an API key of Pinecone", "pcsk_", word, 30),
    shape("a personal key of PostHog", "phx_", alphanumeric, 30),
    shape("an API key of Prefect", "pnu_", alphanumeric, 30),
    shape("an API key of Perplexity", "pplx-", alphanumeric, 16),
    shape("a token of PlanetScale", "pscale_oauth_", dotted, 24),
    shape("a password of PlanetScale", "pscale_pw_", dotted, 24),
    shape("a token of PlanetScale", "pscale_tkn_", dotted, 24),
    shape("a token of Pulumi", "pul-", hexadecimal, 32),
    shape("a token of PyPI", "pypi-AgE", word, 16),
    shape("an API token of Replicate", "r8_", alphanumeric, 30),
    shape("a key of Stripe", "rk_live_", alphanumeric, 8),
    shape("a key of Stripe", "rk_prod_", alphanumeric, 8),
    shape("a key of Stripe", "rk_test_", alphanumeric, 8),
    shape("an API key of RunPod", "rpa_", alphanumeric, 30),
    shape("an API key of RubyGems", "rubygems_", hexadecimal, 24),
    shape("a key of Razorpay", "rzp_live_", alphanumeric, 14),
    shape("a key of Razorpay", "rzp_test_", alphanumeric, 14),
    shape("a token of HashiCorp Vault", "s.", alphanumeric, 24),
    shape("a key of Supabase", "sb_secret_", word, 16),
    shape("a token of Supabase", "sbp_", hexadecimal, 24),
    shape("a token of Notion", "secret_", alphanumeric, 40),
    shape("a session key of OpenAI", "sess-", alphanumeric, 24),
    shape("a token of Sourcegraph", "sgp_", word, 40),
    shape("a token of Shopify", "shpat_", hexadecimal, 24),
    shape("a token of Shopify", "shpca_", hexadecimal, 24),
    shape("a token of Shopify", "shppa_", hexadecimal, 24),
    shape("a secret of Shopify", "shpss_", hexadecimal, 24),
    shape("an API key of OpenAI", "sk-admin-", word, 8),
    shape("an API key of Anthropic", "sk-ant-", word, 8),
    shape("an API key of OpenRouter", "sk-or-v1-", word, 8),
    shape("an API key of OpenAI", "sk-proj-", word, 8),
    shape("an API key of OpenAI", "sk-svcacct-", word, 8),
    // DeepSeek, Moonshot and LiteLLM use the same format.
    shape(
        "an API key of OpenAI or of a service like it",
        "sk-",
        word,
        16,
    ),
    shape("a key of Stripe", "sk_live_", alphanumeric, 8),
    shape("a key of Stripe", "sk_prod_", alphanumeric, 8),
    shape("a key of Stripe", "sk_test_", alphanumeric, 8),
    shape(
        "an API key of ElevenLabs or of a service like it",
        "sk_",
        alphanumeric,
        32,
    ),
    shape("a token of Dropbox", "sl.", word, 60),
    shape("a token of Sentry", "sntrys_", base64, 30),
    shape("a token of Sentry", "sntryu_", hexadecimal, 32),
    shape("a token of Snyk", "snyk_uat.", dotted, 30),
    shape("a token of Square", "sq0atp-", word, 20),
    shape("a secret of Square", "sq0csp-", word, 30),
    shape("a token of Typeform", "tfp_", word, 40),
    shape("an API key of Together AI", "tgp_v1_", word, 24),
    shape("a key of Tailscale", "tskey-", word, 16),
    shape("an API key of Tavily", "tvly-", word, 24),
    shape("a token of Vercel", "vcp_", alphanumeric, 20),
    shape("an API key of Weights & Biases", "wandb_v1_", word, 16),
    shape(
        "a secret of a webhook (of Stripe or a service like it)",
        "whsec_",
        base64,
        24,
    ),
    shape("an API key of xAI", "xai-", alphanumeric, 30),
    shape("a token of Slack", "xapp-", word, 8),
    shape("an API key of Brevo", "xkeysib-", word, 30),
    shape("a token of Slack", "xoxa-", word, 8),
    shape("a token of Slack", "xoxb-", word, 8),
    shape("a token of Slack", "xoxc-", word, 8),
    // Often copied from a cookie, with escapes such as %2B.
    shape("a token of Slack", "xoxd-", escaped, 8),
    shape("a token of Slack", "xoxe-", word, 8),
    shape("a token of Slack", "xoxe.xox", word, 8),
    shape("a token of Slack", "xoxo-", word, 8),
    shape("a token of Slack", "xoxp-", word, 8),
    shape("a token of Slack", "xoxr-", word, 8),
    shape("a token of Slack", "xoxs-", word, 8),
    shape("an API key of Brevo", "xsmtpsib-", word, 30),
    shape("an OAuth token of Google", "ya29.", word, 20),
];
