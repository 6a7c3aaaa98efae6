//! The built-in profiles: one file a provider type.

/// Names the files of `types/`, and takes them in.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../types/", $name, ".toml")))),*]
    };
}

/// In the order of their handles, of which [`crate::set`] names the first.
static TYPES: &[(&str, &str)] = files![
    "openai",
    "generic",
    "common",
    "anthropic",
    "anthropic-oauth",
    "anthropic-oauth-usage",
    "apisix",
    "azure-openai",
    "bedrock",
    "cerebras",
    "chatgpt-codex",
    "chatgpt-codex-usage",
    "cloudflare",
    "cloudflare-workers-ai",
    "cohere",
    "crusoe",
    "dashscope",
    "deepinfra",
    "deepseek",
    "digitalocean",
    "fireworks",
    "gemini",
    "github-copilot",
    "github-models",
    "google-code-assist",
    "groq",
    "huggingface",
    "hyperbolic",
    "kimi-code",
    "litellm",
    "llama-server",
    "llm7",
    "lm-studio",
    "mistral",
    "moonshot",
    "nebius",
    "nous",
    "novita",
    "nvidia-nim",
    "ollama",
    "omlx",
    "openrouter",
    "perplexity",
    "rapid-mlx",
    "replicate",
    "runpod",
    "sambanova",
    "scaleway",
    "sglang",
    "siliconflow",
    "tgi",
    "together",
    "upstage",
    "vertex",
    "vllm",
    "wandb-inference",
    "xai",
    "zai",
    "zai-quota",
];

/// The built-in profiles: type and text of each, in the order of their handles.
#[must_use]
pub fn builtin() -> &'static [(&'static str, &'static str)] {
    TYPES
}

/// The text of a built-in profile.
pub(super) fn text_of(name: &str) -> Option<&'static str> {
    TYPES.iter().find(|(found, _)| *found == name).map(|(_, text)| *text)
}
