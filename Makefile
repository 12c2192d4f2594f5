# The only entry points; CI calls the same.
.DEFAULT_GOAL := help
.PHONY: help demo dev test faults attacks bench check token webhook dead-letters format prerequisites binaries

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

attacks: binaries ## Attack the running functions and the tables, and write the count of it to docs/security.md
	@ATTACKS_WRITE=1 exec target/debug/devstack test --test attacks --test row_security

bench: binaries ## What a question to the coach takes, with 1,000 and with 100,000 activities
	@exec target/debug/devstack bench

check: binaries ## Format, lints, documentation, dependency rules, template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; fi
	@target/debug/devstack lint

token: ## Print a token for the local world: make token USER=<uuid>
	@exec target/debug/devstack token "$(USER)"

webhook: binaries ## List the webhook's subscription (CREATE=1: make it, DELETE=<id>: end it)
	@exec target/debug/devstack webhook $(if $(CREATE),--create) $(if $(DELETE),--delete "$(DELETE)")

dead-letters: binaries ## Show the messages that failed too often (REDRIVE=1: give them back to their queue)
	@exec target/debug/devstack dead-letters $(if $(REDRIVE),--redrive)

format: ## Format the code
	cargo fmt --all

prerequisites:
	@scripts/prerequisites

binaries: prerequisites
	@scripts/patiently "compiling" cargo build --workspace --bins
