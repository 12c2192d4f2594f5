# The only entry points; CI calls the same.
.DEFAULT_GOAL := help
.PHONY: help demo dev test faults attacks fuzz bench bench-start docs check build deploy secrets migrate status logs token webhook dead-letters reseal move-over scale format prerequisites binaries

help: ## Say what can be done
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: binaries ## Connect an invented athlete, sync, show the numbers, keep serving (ONCE=1: exit instead)
	@exec target/debug/devstack demo $(if $(ONCE),--once)

dev: binaries ## The same world without the tour
	@exec target/debug/devstack dev

test: binaries ## All tests, beside a fresh PostgreSQL and an SQS-protocol server
	@exec target/debug/devstack test

faults: binaries ## Break things on purpose and write what came of it to docs/faults.md
	@FAULTS_WRITE=1 exec target/debug/devstack test --test faults

fuzz: binaries ## Hold properties against invented input from outside: make fuzz SECONDS=600
	@exec target/debug/devstack fuzz "$(or $(SECONDS),600)"

attacks: binaries ## Attack the running functions and the tables, and write the count of it to docs/security.md
	@ATTACKS_WRITE=1 exec target/debug/devstack test --test attacks --test row_security

bench: binaries ## What a question to the coach takes, with 1,000 and with 100,000 activities
	@exec target/debug/devstack bench

docs: ## Write the tables of docs/configuration.md from the settings and the template
	@DOCS_WRITE=1 scripts/patiently "compiling" cargo test --quiet --workspace --test repository documents

bench-start: binaries ## What the start of each function takes as a release binary, and the recorded events through these (SKIP_BUILD=1)
	@exec target/debug/devstack bench-start

check: binaries ## Format, lints, documentation, dependency rules, template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; fi
	@target/debug/devstack lint
	@if command -v sam >/dev/null; then SAM_CLI_TELEMETRY=0 sam validate --lint --template template.yaml --region eu-west-1; fi

build: binaries ## The functions' zips in target/lambda (ARCH=arm64 or x86_64)
	@exec target/debug/devstack build "$(or $(ARCH),arm64)"

deploy: binaries ## Build, deploy the stack and migrate (STACK=runaway, PARAMETERS=parameters.env, YES=1, SKIP_BUILD=1)
	@exec target/debug/devstack deploy

secrets: binaries ## Fill the stack's secret documents from the environment, FILE= or the keyboard (STACK=runaway, YES=1, DROP_KEY=<id>)
	@exec target/debug/devstack secrets

migrate: binaries ## Show pending migrations and apply them: DATABASE_ADMIN_URL, or the stack's (STACK=runaway, YES=1)
	@exec target/debug/devstack migrate

status: binaries ## Jobs, lag, Strava's limit, queues: of this world, or of the settings in the environment
	@exec target/debug/devstack status

logs: binaries ## What functions wrote: of this world, or with AWS_REGION of the stack (FUNCTION=, SINCE=10m, FOLLOW=1)
	@exec target/debug/devstack logs

token: ## Print a token for the local world: make token USER=<uuid>
	@exec target/debug/devstack token "$(USER)"

webhook: binaries ## List the webhook's subscription (CREATE=1: make it, DELETE=<id>: end it)
	@exec target/debug/devstack webhook $(if $(CREATE),--create) $(if $(DELETE),--delete "$(DELETE)")

dead-letters: binaries ## Show the messages that failed too often (REDRIVE=1: give them back to their queue)
	@exec target/debug/devstack dead-letters $(if $(REDRIVE),--redrive)

reseal: binaries ## Seal anew what another key than the first of TOKEN_KEYS sealed
	@exec target/debug/devstack reseal

move-over: binaries ## Move over from the predecessor's tables and compare (YES=1, CHECK=1: compare only)
	@exec target/debug/devstack move-over $(if $(CHECK),--check)

scale: binaries ## Compute docs/scale.md from docs/scale/inputs.yaml
	@exec target/debug/devstack scale

format: ## Format the code
	cargo fmt --all

prerequisites:
	@scripts/prerequisites

binaries: prerequisites
	@scripts/patiently "compiling" cargo build --workspace --bins
