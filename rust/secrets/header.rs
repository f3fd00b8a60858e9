//! Which headers carry a credential, and which only tell one run or one account from another.

/// Whether the header `name`, in any case, carries a credential or names the account it belongs to.
///
/// Organisation and project ids (`openai-organization`) are no credentials, but say whose recording it is: they count.
#[must_use]
pub fn is_secret_header(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase().replace('_', "-");
    // Our own: the fingerprint of a credential, made to be stored.
    if name.starts_with("x-llm-vcr-") {
        return false;
    }
    ACCOUNT.contains(&name.as_str())
        || PARTS.iter().any(|part| name.contains(part))
        || ENDS.iter().any(|end| name.ends_with(end) && !NO_CREDENTIALS.contains(&name.as_str()))
}

/// Whether the response header `name`, in any case, changes with each call or names the account, and says nothing to a client that
/// replays: request ids, cookies, rate limits, traces.
///
/// What a client acts on is never incidental: `content-*`, `location`, `retry-after`, `x-should-retry`, `date`.
#[must_use]
pub fn is_incidental_header(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase().replace('_', "-");
    ACCOUNT.contains(&name.as_str())
        || INCIDENTAL.contains(&name.as_str())
        || INCIDENTAL_STARTS.iter().any(|start| name.starts_with(start))
        || name.contains("ratelimit")
}

/// Parts that no harmless header has.
const PARTS: [&str; 12] = [
    "authorization",
    "cookie",
    "api-key",
    "apikey",
    "secret",
    "password",
    "passwd",
    "credential",
    "access-token",
    "auth-token",
    "security-token",
    "private-key",
];

/// Ends that speak of a credential. Not a mere part: `x-amzn-bedrock-input-token-count` is a number that SDKs read.
const ENDS: [&str; 8] = ["token", "-key", "-auth", "-signature", "-jwt", "-assertion", "-bearer", "-session"];

/// Names with such an end that carry none.
const NO_CREDENTIALS: [&str; 8] = [
    "idempotency-key",
    "x-idempotency-key",
    "sec-websocket-key",
    "surrogate-key",
    "x-surrogate-key",
    "x-cache-key",
    "next-page-token",
    "x-next-page-token",
];

const ACCOUNT: [&str; 6] = [
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    "anthropic-workspace-id",
    "x-goog-user-project",
    "chatgpt-account-id",
];

const INCIDENTAL: [&str; 31] = [
    "set-cookie",
    "request-id",
    "x-request-id",
    "requestid",
    "x-requestid",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amz-cf-id",
    "x-amz-cf-pop",
    "x-ms-request-id",
    "x-ms-client-request-id",
    "apim-request-id",
    "fly-request-id",
    "x-vercel-id",
    "x-correlation-id",
    "x-trace-id",
    "x-cloud-trace-context",
    "traceparent",
    "tracestate",
    "cf-ray",
    "alt-svc",
    "nel",
    "report-to",
    "reporting-endpoints",
    "server-timing",
    "openai-processing-ms",
    "x-envoy-upstream-service-time",
    "x-served-by",
    "x-timer",
    "x-litellm-call-id",
];

const INCIDENTAL_STARTS: [&str; 3] = ["x-amzn-trace-", "x-b3-", "x-datadog-"];
