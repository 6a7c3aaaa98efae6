//! Words that are never secret: what providers say of limits, errors and themselves.

/// Is it one of the words, in whatever case?
pub(super) fn is_known(word: &str) -> bool {
    KNOWN.split(' ').chain(PROVIDERS.split(' ')).any(|known| known.eq_ignore_ascii_case(word))
}

/// Is it a provider's domain, without its end?
pub(super) fn is_provider(name: &str) -> bool {
    PROVIDERS.split(' ').any(|known| known.eq_ignore_ascii_case(name))
}

/// What providers are called.
const PROVIDERS: &str = "\
    ai21 aliyun aliyuncs amazon amazonaws anthropic azure bedrock bigmodel cerebras chatgpt claude \
    cloudflare codex cohere copilot deepinfra deepseek digitalocean fireworks gemini github \
    githubcopilot google googleapis groq huggingface microsoft mistral moonshot nebius nvidia ollama \
    openai openrouter perplexity replicate sambanova together vertex wandb xai zai";

/// Words of messages and identifiers about limits; names of days and months.
const KNOWN: &str = "\
    a abuse access account active add additional after again ai all allocation allow allowance allowed \
    an and api app apps apr are args arguments assist at attempts audio aug available backend bad \
    balance balances base batch be been before billing bucket burst business but by cache cached call \
    calls can cannot capacity chat check claim client code com completion completions concurrency \
    concurrent condition contact content context control count create credit credits currency current \
    currently daily data day days dec default delay denied deployment detail details device dimensions \
    disabled domain due during dynamic embedding embeddings enabled end endpoint endpoints engine \
    enterprise entity error errors event exceed exceeded exceeds exception exhausted expired failed \
    failure fallback family fast feature feb first fixed flag for forbidden free fri from full gateway \
    generate generated generation generative global gmt google granted group has have help high higher \
    hour hourly hours http https id ids image images in increase increased indicator info information \
    input inputs insufficient internal invalid is it item items jan json jul jun key kind language large \
    last later left length level limit limited limiter limits link list load loading local location long \
    low lower many mar max maximum may message messages metadata metric minimum minute minutes mode \
    model models mon month monthly more ms name new next no not nov number object oct of on only \
    operation opus or org organization out output over overage overloaded param pay payment penalty per \
    percent percentage period perm permission plan please policy precondition premium pricing primary \
    priority pro processing product project projects prompt provided provider purchase quality quantity \
    query queue quota quotas range rate ratelimit rates ray reached ready real reason received recharge \
    reduce reference region rejected remaining request requested requests reset resets resource \
    resources response responses retry retrying return returned rpc rpd rpm rps rst s sat scale scope \
    second secondary seconds send sent sep server servers service session seven share shared should size \
    sku slow snapshot sonnet source speech spend standard state status stream streaming sub subscription \
    summary sun support surpassed system target task temporarily temporary text than that the this \
    threshold throttled throttling thu tier time timeout title to token tokens too total tpd tpm \
    transcription trial try tue type unauthorized unavailable unified unit unknown unlimited unsupported \
    until upgrade upstream url usage use used user users validation value version view violation \
    violations vision wait was web wed week weekly were will window windows with within year yet you \
    your zero zone";
