"""Does what a plan says and checks it: runs, toolchains, quantizers, engines, evaluation, load tests, findings."""
