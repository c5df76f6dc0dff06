"""Every page, with questions that fill it and questions that leave it empty or wrong."""

from urllib.parse import urlencode

from planner.service.pages.placing import CLUSTER, MODELS

PLANS = (("llama-3.1-8b", "1xL4"), ("llama-3.1-70b", "2xL40S"), ("mixtral-8x7b", "1xA100-80GB"))
PAGES = {
    "ask": "/",
    "answer": "/?model=llama-3.1-70b&on=2xL40S",
    "answer-moe": "/?model=mixtral-8x7b&on=1xA100-80GB&task=code&concurrency=32",
    "answer-open-load": "/?model=llama-3.1-8b&on=1xL4&requests_per_s=0.5&ttft_ms=1000&percentile=p95",
    "answer-wrong": "/?model=lama-3.1-8&on=1xL4",
    "answer-none": "/?model=llama-3.1-405b&on=1xL4",
    "fits-empty": "/fits",
    "fits": "/fits?on=1xL4",
    "fits-model": "/fits?model=llama-3.1-70b",
    "fits-none": "/fits?on=1xT4&users=4000&context_tokens=100000",
    "fleet-empty": "/fleet",
    "fleet": f"/fleet?{urlencode({'cluster': CLUSTER, 'models': MODELS})}",
    "fleet-short": f"/fleet?{urlencode({'cluster': CLUSTER, 'models': MODELS.replace('120', '12000')})}",
    "fleet-wrong": f"/fleet?{urlencode({'cluster': CLUSTER.replace('gpus: 8', 'gpu_count: 8'), 'models': MODELS})}",
    "layouts-empty": "/layouts",
    "layouts": f"/layouts?{urlencode({'cluster': CLUSTER, 'model': 'mixtral-8x22b', 'nodes': 2})}",
    "rules": "/rules",
    "prices": "/prices",
    "gpus": "/gpus?q=h100",
    "gpus-none": "/gpus?q=nothing-is-called-so",
    "runs": "/runs",
    "accuracy": "/accuracy",
    "accuracy-none": "/accuracy?q=nothing-is-called-so",
    "missing": "/runs/0123456789abcdef0123456789abcdef",
}
