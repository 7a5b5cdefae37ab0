"""What counts as a secret, and what only looks like one."""

from __future__ import annotations

import pytest

from training_hub.errors import ConfigError, RunFailed, fault
from training_hub.redaction import environment, redacted, secret_in, variable_in

PLAIN = [
    "gsm8k-lr1e-5-seed42", "outputs/2026-11-25/10-00-00", "/home/me/models/Qwen2.5-0.5B-Instruct", "Qwen/Qwen3-8B",
    "https://huggingface.co/Qwen/Qwen3-8B", "http://tracking:5000", "http://host:8080/path@v1", "hf://datasets/a/b@main",
    "https://medium.com/@user/post", "ssh://git@github.com/a/b.git", "git@github.com:a/b.git", "sqlite:///mlflow.db",
    "abfss://container@account.dfs.core.windows.net/x", "s3://bucket/key", "postgresql://user@db/runs",
    "eos_token=<|im_end|>",
    "hf-internal-testing/tiny-random-LlamaForCausalLM", "0123456789abcdef0123456789abcdef01234567", "sk-learn-baseline",
    "max_tokens_per_gpu=2048", "hf_smollm2_run", "recipe.lr_scheduler_kwargs={num_cycles: 3}", "What is a password?",
    "training_hub", "[2001:db8::1]:29500", "a@b.c", "data/alpaca@2024/rows.jsonl", "tokenizer.json", "keys=3",
    "the secret of bees: they dance", "file:///data/rows@2.jsonl", "${oc.env:HF_TOKEN}", "password=${oc.env:DB_PWD}",
]  # fmt: skip
SECRET = {
    "hf_": "hf_abcdefghijKLMNOPQRSTuvwxyz012345",
    "ghp_": "see ghp_abcdefghijKLMNOPQRSTuvwxyz012345",
    "github_pat_": "github_pat_11ABCDEFG0abcdefghijk_lmnopqrstuvwxyz",
    "glpat": "glpat-abcdefghij0123456789",
    "sk-": "sk-abcdefghijKLMNOPQRSTuvwxyz012345",
    "sk-proj": "sk-proj-abc_defghijKLMNOPQRSTuvwxyz012345",
    "AKIA": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----",
    "slack": "xoxb-0123456789-abcdef",
    "url": "https://canary@host/x",
    "url password": "http://user:canary@host/x",
    "slash": "http://user:can/ary@host/x",
    "at": "http://user:can@ary@host/x",
    "no user": "redis://:canary@host:6379/0",
    "leading spaces": "   https://canary@host",
    "inside": "[a,https://canary@host,b]",
    "database": "postgresql+psycopg://u:canary@db:5432/x",
    "git": "git+https://canary@github.com/a/b",
    "query": "https://host/x?a=1&access_token=canary",
    "assigned": "host=db password=canary user=x",
    "azure": "AccountName=x;AccountKey=canary;",
    "dict": "{'api_key': 'canary'}",
}


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secrets of the machine that runs the tests."""
    monkeypatch.setattr("os.environ", {"HOME": "/root"})


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_looks_like_a_secret_passes(text: str) -> None:
    assert (secret_in(text), redacted(text)) == (None, text)


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_is_known_by_its_looks_and_hidden(name: str) -> None:
    text = SECRET[name]
    assert secret_in(text)
    hidden = redacted(text)
    assert "***" in hidden
    assert not [part for part in ("canary", "ary@", "abcdefghij", "IOSFODNN7", "MIIE", "dozj") if part in hidden]
    assert secret_in(hidden) is None
    assert redacted(hidden) == hidden


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_KEY", "HF_TOKEN_2", "GITHUB_PAT", "DB_PWD", "AUTH", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "X_PASS",
        "AZURE_CREDENTIALS", "GPG_PASSPHRASE", "openaiApiKey", "MY_API_KEY", "SLURM_JWT", "KEY2", "DB_PASSWORD_PROD",
        "SLACK_WEBHOOK_URL", "APIKEY", "TOKENS", "PGPASSWORD", "SENTRY_DSN",
    ],
)  # fmt: skip
def test_a_variable_named_like_a_secret_holds_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "abc12")
    assert (redacted("x=abc12,y"), variable_in("abc12", environment())) == ("x=***,y", name)
    assert redacted("xabc12y") == "xabc12y", "a short one counts as a whole word alone"
    monkeypatch.setenv(name, "abc12-def34")
    assert redacted("xabc12-def34y") == "x***y"


@pytest.mark.parametrize("name", ["DATABASE_URL", "HTTP_PROXY", "BROKER"])
def test_a_password_in_the_url_of_a_variable_is_a_secret_by_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "mysql://u:s3/cret@db/x")
    assert redacted("tags: s3/cret") == "tags: ***"
    assert variable_in("s3/cret", environment()) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MY_TOKEN", "auto"), ("AUTH", "basic"), ("OPENAI_API_KEY", "EMPTY"), ("MAX_TOKENS", "2048"), ("KEY", "1"),
        ("TOKENIZERS_PARALLELISM", "chatml"), ("SSH_AUTH_SOCK", "/tmp/agent.1"), ("GIT_AUTHOR_NAME", "chatml"),
        ("PWD", "/work/rows"), ("GOOGLE_APPLICATION_CREDENTIALS", "/root/key.json"), ("AWS_REGION", "us-east-1"),
        ("TOKEN_FILE", "chatml"), ("OS_AUTH_URL", "https://keystone:5000/v3"), ("KEYBOARD", "chatml"), ("PATH", "/bin"),
    ],
)  # fmt: skip
def test_ordinary_values_of_variables_are_no_secrets(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert (redacted(f"x={value}"), variable_in(value, environment())) == (f"x={value}", None)


def test_no_error_of_the_project_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PWD", "swordfish")
    error = ConfigError(fault("lr", "swordfish", "must be a number"))
    assert (str(error), error.faults) == ("lr=***: must be a number", ("lr=***: must be a number",))
    assert str(RunFailed("https://a:b@c: no answer")) == "https://***@c: no answer"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=foo: no such parameter", "password=***: no such parameter"),
        ("recipe.hub_token=inf: the library wants str", "recipe.hub_token=***: the library wants str"),
        ("x=http://host/?token=abc: cannot be read", "x=http://host/?token=***: cannot be read"),
        ("password=a:b:c", "password=***"),
    ],
)
def test_the_colon_of_a_fault_is_no_part_of_the_secret_before_it(line: str, shown: str) -> None:
    assert redacted(line) == shown
