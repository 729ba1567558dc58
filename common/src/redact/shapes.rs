//! Keys that are known by their shape alone: one row a shape, with who says so. As narrow as is safe: a shape that code has
//! too needs a second test. Nothing is decided here by a name.

use super::{regex, words};
use std::{ops::Range, sync::OnceLock};

/// What stands before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// The start of a word, an escaped end of a line, a percent escape or the end of a colour.
    Word,
    /// Nothing that could be a part of it: short beginnings occur inside hashes.
    Strict,
}

impl Start {
    fn pattern(self) -> &'static str {
        match self {
            Start::Word => r"(?:\b|\\[nrt]|%[0-9A-Fa-f]{2}|\x1b\[[0-9;]*m)",
            Start::Strict => r"(?:^|[^A-Za-z0-9_/+-]|\\[nrt]|%[0-9A-Fa-f]{2}|\x1b\[[0-9;]*m)",
        }
    }
}

/// What must be true besides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Shape,
    /// Many different characters: a placeholder has few.
    Varied,
    /// That, and not made of words.
    Random,
}

struct Shape {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests name the row that fails"))]
    name: &'static str,
    /// A text without this has none of the shape; empty where there is no such part.
    hint: &'static str,
    start: Start,
    /// Its first group is what is masked.
    pattern: &'static str,
    test: Test,
    /// Who says that keys look like this: a rule of a public scanner, or the vendor.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers; a test wants one in each row"))]
    source: &'static str,
    compiled: OnceLock<regex::Regex>,
}

const fn row(name: &'static str, hint: &'static str, start: Start, pattern: &'static str, test: Test, source: &'static str) -> Shape {
    Shape { name, hint, start, pattern, test, source, compiled: OnceLock::new() }
}

static SHAPES: [Shape; 85] = [
    row("openai-legacy", "T3BlbkFJ", Start::Word, r"(sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})", Test::Shape, "gitleaks openai-api-key"),
    row(
        "openai",
        "sk-",
        Start::Word,
        r"(sk-(?:proj|svcacct|admin|service|None)-[A-Za-z0-9_-]{20,})",
        Test::Random,
        "gitleaks openai-api-key",
    ),
    row(
        "anthropic",
        "sk-ant-",
        Start::Word,
        r"(sk-ant-(?:api|admin|oat|ort|sid)[0-9]{2}-[A-Za-z0-9_-]{20,})",
        Test::Random,
        "gitleaks anthropic-api-key",
    ),
    row("openrouter", "sk-or-", Start::Word, r"(sk-or-v1-[0-9a-f]{64})", Test::Shape, "public secret scanners"),
    row(
        "sk-plain",
        "sk-",
        Start::Strict,
        r"(sk-[A-Za-z0-9]{16,})",
        Test::Random,
        "praetorian-inc/noseyparker rules/openai.yml (48); DeepSeek's are shorter",
    ),
    row("openai-session", "sess-", Start::Word, r"(sess-[A-Za-z0-9]{40,})", Test::Varied, "session keys of the OpenAI web interface"),
    row("github", "gh", Start::Word, r"(gh[pousr]_[A-Za-z0-9]{36,})", Test::Varied, "gitleaks github-pat"),
    row(
        "github-fine-grained",
        "github_pat_",
        Start::Word,
        r"(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})",
        Test::Varied,
        "gitleaks github-fine-grained-pat",
    ),
    row(
        "gitlab",
        "gl",
        Start::Word,
        r"(gl(?:pat|dt|rt|rtr|ptt|ft|imt|agent|oas|soat|ffct|wt)-[A-Za-z0-9_-]{20,}(?:\.[0-9a-z]{2}\.?[0-9a-z]{7,9})?)",
        Test::Random,
        "gitleaks gitlab-pat; docs.gitlab.com",
    ),
    row(
        "gitlab-job",
        "glcbt-",
        Start::Word,
        r"(glcbt-(?:[0-9A-Za-z]{1,5}_)?[A-Za-z0-9_-]{20,})",
        Test::Random,
        "gitleaks gitlab-cicd-job-token",
    ),
    row("gitlab-runner-registration", "GR1348941", Start::Word, r"(GR1348941[A-Za-z0-9_-]{20})", Test::Varied, "gitleaks gitlab-rrt"),
    row(
        "slack",
        "xox",
        Start::Word,
        r"(xox[abposr]-[0-9A-Za-z]{1,14}(?:-[0-9A-Za-z]{6,64}){1,5})",
        Test::Random,
        "gitleaks slack-bot-token",
    ),
    row("slack-short", "xox", Start::Word, r"(xox[abeopsr]-[0-9A-Za-z-]{20,})", Test::Random, "gitleaks slack-legacy-*"),
    row("slack-app", "xapp-", Start::Word, r"(xapp-[0-9]-[A-Z0-9]+-[0-9]+-[A-Za-z0-9]{20,})", Test::Varied, "gitleaks slack-app-token"),
    row(
        "slack-config",
        "xoxe.",
        Start::Word,
        r"(xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{100,})",
        Test::Varied,
        "gitleaks slack-config-access-token",
    ),
    row(
        "slack-config-refresh",
        "xoxe-",
        Start::Word,
        r"(xoxe-[0-9]-[A-Za-z0-9]{100,})",
        Test::Varied,
        "gitleaks slack-config-refresh-token",
    ),
    row(
        "slack-workflow",
        "xwfp-",
        Start::Word,
        r"(xwfp-[0-9A-Za-z-]{20,})",
        Test::Random,
        "public code documenting Slack token types (xwfp-)",
    ),
    row(
        "slack-webhook",
        "hooks.slack.com",
        Start::Word,
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9]{6,}/[A-Za-z0-9]{6,}(?:/[A-Za-z0-9]{6,}){1,2})",
        Test::Varied,
        "gitleaks slack-webhook-url; edoardottt/secfiles regex/secrets.md",
    ),
    row(
        "discord-webhook",
        "/webhooks/",
        Start::Word,
        r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{17,20}/([A-Za-z0-9_-]{60,80})",
        Test::Varied,
        "trufflesecurity/trufflehog pkg/detectors/discordwebhook/discordwebhook.go",
    ),
    row(
        "discord-bot",
        ".",
        Start::Word,
        r"([MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40})",
        Test::Random,
        "Yelp/detect-secrets detect_secrets/plugins/discord.py",
    ),
    row(
        "teams-webhook",
        "IncomingWebhook",
        Start::Word,
        r"[a-z0-9-]+\.webhook\.office\.com/webhookb2/[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/([0-9a-f]{32}/[0-9a-f-]{36})",
        Test::Shape,
        "gitleaks microsoft-teams-webhook",
    ),
    row(
        "google-api",
        "AIza",
        Start::Word,
        r"(AIza[A-Za-z0-9_-]{35})",
        Test::Varied,
        "gitleaks gcp-api-key; praetorian-inc/noseyparker builtin/rules/google.yml np.google.5",
    ),
    row(
        "google-oauth-access",
        "ya29.",
        Start::Word,
        r"(ya29\.[A-Za-z0-9_-]{20,})",
        Test::Random,
        "praetorian-inc/noseyparker builtin/rules/google.yml np.google.4",
    ),
    row(
        "google-oauth-refresh",
        "1//0",
        Start::Word,
        r"(1//0[A-Za-z0-9_-]{40,})",
        Test::Varied,
        "praetorian-inc/noseyparker builtin/rules/google.yml (example of np.google.4)",
    ),
    row(
        "google-oauth-secret",
        "GOCSPX-",
        Start::Word,
        r"(GOCSPX-[A-Za-z0-9_-]{28})",
        Test::Varied,
        "praetorian-inc/noseyparker builtin/rules/google.yml np.google.2",
    ),
    row(
        "stripe",
        "k_",
        Start::Word,
        r"((?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,})",
        Test::Varied,
        "praetorian-inc/noseyparker builtin/rules/stripe.yml np.stripe.1",
    ),
    row("stripe-webhook", "whsec_", Start::Word, r"(whsec_[A-Za-z0-9+/]{24,}={0,2})", Test::Random, "public secret scanners (whsec_)"),
    row("npm", "npm_", Start::Strict, r"(npm_[A-Za-z0-9]{36})", Test::Varied, "gitleaks npm-access-token"),
    row("pypi", "pypi-AgE", Start::Word, r"(pypi-AgE[A-Za-z0-9_-]{50,})", Test::Shape, "gitleaks pypi-upload-token"),
    row(
        "crates-io",
        "cio",
        Start::Word,
        r"(cio[A-Za-z0-9]{32}\b)",
        Test::Varied,
        "praetorian-inc/noseyparker builtin/rules/crates.io.yml np.cratesio.1",
    ),
    row("rubygems", "rubygems_", Start::Word, r"(rubygems_[0-9a-f]{48})", Test::Shape, "gitleaks rubygems-api-token"),
    row("docker-hub", "dckr_", Start::Word, r"(dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,})", Test::Random, "public secret scanners (dckr_pat_)"),
    row(
        "huggingface",
        "_",
        Start::Strict,
        r"((?:hf|api_org)_[A-Za-z0-9]{34,})",
        Test::Varied,
        "gitleaks huggingface-access-token; public code: hf_ and 34 or more letters or digits",
    ),
    row("sendgrid", "SG.", Start::Word, r"(SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64})", Test::Varied, "gitleaks sendgrid-api-token"),
    row("brevo", "xkeysib-", Start::Word, r"(xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16})", Test::Shape, "gitleaks sendinblue-api-token"),
    row("mailgun", "key-", Start::Word, r"(key-[0-9a-f]{32}\b)", Test::Shape, "gitleaks mailgun-private-api-token"),
    row("mailchimp", "-us", Start::Word, r"([0-9a-f]{32}-us[0-9]{1,2}\b)", Test::Shape, "gitleaks mailchimp-api-key"),
    row("digitalocean", "_v1_", Start::Word, r"(do[opr]_v1_[0-9a-f]{64})", Test::Shape, "gitleaks digitalocean-pat"),
    row("shopify", "shp", Start::Word, r"(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})", Test::Shape, "gitleaks shopify-*"),
    row("groq", "gsk_", Start::Strict, r"(gsk_[A-Za-z0-9]{48,56})", Test::Varied, "trufflesecurity/trufflehog pkg/detectors/groq/groq.go"),
    row("databricks", "dapi", Start::Word, r"(dapi[0-9a-f]{32}(?:-[0-9])?\b)", Test::Shape, "gitleaks databricks-api-token"),
    row("twilio", "SK", Start::Word, r"(SK[0-9a-f]{32}\b)", Test::Shape, "gitleaks twilio-api-key"),
    row("aws-key-id", "A", Start::Word, r"((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b)", Test::Varied, "gitleaks aws-access-token"),
    row(
        "aws-secret-by-name",
        "",
        Start::Word,
        r#"(?i:aws_?secret_?access_?key)[\"']?\s{0,3}[:=, ]{1,2}\s{0,3}[\"']?([A-Za-z0-9/+]{40})\b"#,
        Test::Varied,
        "Yelp/detect-secrets plugins/aws.py",
    ),
    row(
        "aws-bedrock",
        "ABSK",
        Start::Word,
        r"(ABSK[A-Za-z0-9+/]{109,}={0,2})",
        Test::Varied,
        "betterleaks aws-amazon-bedrock-api-key-long-lived",
    ),
    row(
        "azure-ad-secret",
        "Q~",
        Start::Word,
        r"([A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})",
        Test::Varied,
        "gitleaks azure-ad-client-secret",
    ),
    row("alibaba-key-id", "LTAI", Start::Word, r"(LTAI[A-Za-z0-9]{12,24}\b)", Test::Random, "gitleaks alibaba-access-key-id"),
    row(
        "telegram-bot",
        ":A",
        Start::Word,
        r"(?:bot)?([0-9]{8,10}:A[A-Za-z0-9_-]{34})",
        Test::Varied,
        "Yelp/detect-secrets detect_secrets/plugins/telegram_token.py",
    ),
    row("linear", "lin_", Start::Word, r"(lin_(?:api|oauth)_[A-Za-z0-9]{40,64})", Test::Varied, "gitleaks linear-api-key"),
    row(
        "notion-old",
        "secret_",
        Start::Word,
        r"(secret_[A-Za-z0-9]{43}\b)",
        Test::Random,
        "trufflesecurity/trufflehog pkg/detectors/notion/notion.go",
    ),
    row("notion", "ntn_", Start::Word, r"(ntn_[0-9]{11}[A-Za-z0-9]{35})", Test::Varied, "gitleaks notion-api-token"),
    row(
        "figma",
        "fig",
        Start::Word,
        r"(fig(?:d|u|o|ur|uh|or|oh)_[A-Za-z0-9_-]{40,})",
        Test::Random,
        "trufflesecurity/trufflehog pkg/detectors/figmapersonalaccesstoken/v2",
    ),
    row(
        "doppler",
        "dp.",
        Start::Word,
        r"(dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44})",
        Test::Random,
        "gitleaks doppler-api-token; trufflesecurity/trufflehog pkg/detectors/doppler/doppler.go",
    ),
    row("vault", "hv", Start::Word, r"(hv[sbr]\.[A-Za-z0-9_-]{24,})", Test::Random, "gitleaks vault-service-token"),
    row(
        "terraform-cloud",
        ".atlasv1.",
        Start::Word,
        r"([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70})",
        Test::Shape,
        "gitleaks hashicorp-tf-api-token",
    ),
    row("pulumi", "pul-", Start::Word, r"(pul-[0-9a-f]{40})", Test::Shape, "gitleaks pulumi-api-token"),
    row(
        "newrelic",
        "NR",
        Start::Word,
        r"(NR(?:AK|AL|BR|II|JS|IQ|RA|SP)-[A-Za-z0-9-]{19,40})",
        Test::Random,
        "gitleaks new-relic-user-api-key",
    ),
    row(
        "grafana-service",
        "glsa_",
        Start::Word,
        r"(glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8})",
        Test::Varied,
        "gitleaks grafana-service-account-token",
    ),
    row("grafana-cloud", "glc_", Start::Word, r"(glc_[A-Za-z0-9+/]{32,}={0,3})", Test::Varied, "gitleaks grafana-cloud-api-token"),
    row(
        "sentry-org",
        "sntrys_",
        Start::Word,
        r"(sntrys_[A-Za-z0-9+/]{20,}={0,2}_[A-Za-z0-9+/]{43})",
        Test::Shape,
        "gitleaks sentry-org-token",
    ),
    row("sentry-user", "sntryu_", Start::Word, r"(sntryu_[0-9a-f]{64})", Test::Shape, "gitleaks sentry-user-token"),
    row("heroku", "HRKU-", Start::Word, r"(HRKU-[A-Za-z0-9_-]{36,60})", Test::Varied, "gitleaks heroku-api-key-v2"),
    row(
        "supabase-pat",
        "sbp_",
        Start::Word,
        r"(sbp_(?:v0_)?[0-9a-f]{40})",
        Test::Shape,
        "trufflesecurity/trufflehog pkg/detectors/supabasetoken/supabasetoken.go",
    ),
    row("supabase-secret", "sb_secret_", Start::Word, r"(sb_secret_[A-Za-z0-9_-]{20,})", Test::Random, "Supabase docs: API keys"),
    row(
        "planetscale",
        "pscale_",
        Start::Word,
        r"(pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64})",
        Test::Random,
        "gitleaks planetscale-api-token",
    ),
    row(
        "square",
        "",
        Start::Word,
        r"((?:sq0atp-[A-Za-z0-9_-]{22}|sq0csp-[A-Za-z0-9_-]{43}|EAAA[A-Za-z0-9_-]{60}))",
        Test::Varied,
        "gitleaks square-access-token",
    ),
    row("atlassian", "TT3", Start::Word, r"(AT[AC]TT3[A-Za-z0-9_=-]{60,})", Test::Varied, "gitleaks atlassian-api-token"),
    row(
        "dropbox",
        "sl.",
        Start::Word,
        r"(sl\.(?:u\.)?[A-Za-z0-9_-]{130,})",
        Test::Shape,
        "praetorian-inc/noseyparker builtin/rules/dropbox.yml np.dropbox.1",
    ),
    row(
        "replicate",
        "r8_",
        Start::Strict,
        r"(r8_[A-Za-z0-9]{37})",
        Test::Varied,
        "trufflesecurity/trufflehog pkg/detectors/replicate/replicate.go",
    ),
    row("perplexity", "pplx-", Start::Word, r"(pplx-[A-Za-z0-9]{40,64})", Test::Varied, "gitleaks perplexity-api-key"),
    row("xai", "xai-", Start::Word, r"(xai-[A-Za-z0-9_]{70,90})", Test::Varied, "trufflesecurity/trufflehog pkg/detectors/xai/xai.go"),
    row("fireworks", "fw_", Start::Strict, r"(fw_[A-Za-z0-9]{22,44}\b)", Test::Random, "public code checking Fireworks keys (fw_ and 24)"),
    row("nvidia", "nvapi-", Start::Word, r"(nvapi-[A-Za-z0-9_-]{60,70})", Test::Varied, "public secret scanners"),
    row("langsmith", "lsv2_", Start::Word, r"(lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10})", Test::Shape, "gitleaks rules/langsmith.go"),
    row(
        "cloudflare-origin-ca",
        "v1.0-",
        Start::Word,
        r"(v1\.0-[0-9a-f]{24}-[0-9a-f]{146})",
        Test::Shape,
        "gitleaks cloudflare-origin-ca-key",
    ),
    row("cloudflare", "cf", Start::Word, r"(cf(?:ut|k|at)_[A-Za-z0-9_-]{40,})", Test::Random, "public redactors listing cfk_/cfut_/cfat_"),
    row("postman", "PMAK-", Start::Word, r"(PMAK-[0-9a-f]{24}-[0-9a-f]{34})", Test::Shape, "gitleaks postman-api-token"),
    row("dynatrace", "dt0c01.", Start::Word, r"(dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64})", Test::Shape, "gitleaks dynatrace-api-token"),
    row(
        "fly-io",
        "_",
        Start::Strict,
        r"((?:fo1_[A-Za-z0-9_-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{100,}={0,3}))",
        Test::Varied,
        "gitleaks flyio-access-token",
    ),
    row(
        "1password-service",
        "ops_eyJ",
        Start::Word,
        r"(ops_eyJ[A-Za-z0-9+/]{250,}={0,3})",
        Test::Shape,
        "gitleaks 1password-service-account-token",
    ),
    row(
        "age",
        "AGE-SECRET-KEY-1",
        Start::Word,
        r"(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})",
        Test::Shape,
        "gitleaks age-secret-key",
    ),
    row("jwt", "eyJ", Start::Word, r"(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?)", Test::Shape, "gitleaks jwt"),
    row(
        "jwe",
        "eyJ",
        Start::Word,
        r"(eyJ[A-Za-z0-9_-]{16,}\.(?:[A-Za-z0-9_-]*\.){3}[A-Za-z0-9_-]{16,})",
        Test::Shape,
        "RFC 7516; nextauthjs/next-auth jwt",
    ),
    row(
        "azure-connection",
        "",
        Start::Word,
        r"(?i:AccountKey|SharedAccessKey|SharedSecretValue)\s{0,2}=\s{0,2}([A-Za-z0-9+/]{40,}={0,2})",
        Test::Shape,
        "praetorian-inc/noseyparker builtin/rules/azure.yml np.azure.1; Yelp/detect-secrets detect_secrets/plugins/azure_storage_key.py; praetorian-inc/noseyparker builtin/rules/azure.yml np.azure.1",
    ),
    row(
        "signed-url",
        "=",
        Start::Word,
        r"(?i:sig|signature|X-Amz-Signature|X-Amz-Security-Token|X-Goog-Signature)=([A-Za-z0-9%+/_-]{32,}=?)",
        Test::Random,
        "AWS docs: Signature Version 4 query parameters; Microsoft Learn: service SAS (sig=)",
    ),
];

/// Adds where keys stand.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    for shape in SHAPES.iter().filter(|shape| text.contains(shape.hint)) {
        let regex = shape.compiled.get_or_init(|| regex(&format!("{}{}", shape.start.pattern(), shape.pattern)));
        for hit in regex.captures_iter(text).filter_map(|hit| hit.get(1)) {
            let is_key = match shape.test {
                Test::Shape => true,
                Test::Varied => words::different(hit.as_str()) >= 8,
                Test::Random => words::is_random(hit.as_str()),
            };
            if is_key {
                found.push(hit.range());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_has_a_source_and_a_pattern_with_one_group() {
        for shape in &SHAPES {
            assert!(shape.source.len() > 8, "{}", shape.name);
            assert_eq!(regex(shape.pattern).captures_len(), 2, "{}", shape.name);
        }
    }
}
