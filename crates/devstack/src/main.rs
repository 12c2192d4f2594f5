//! One command's local world: PostgreSQL, an SQS-protocol server, an invented Strava and sign-in, the functions, and
//! the event sources that `template.yaml` names. The Makefile is its only caller; it runs in the repository's root.
#![expect(clippy::print_stdout, reason = "a command that speaks to a person")]

mod bench_start;
mod console;
mod dead_letters;
mod demo;
mod demo_chat;
mod demo_journal;
mod deploy;
mod env_file;
mod events;
mod functions;
mod fuzz;
mod logs;
mod migrations;
mod move_over;
mod operator;
mod postgres;
mod process;
mod queues;
mod reseal;
mod ring;
mod scale;
mod secrets;
mod status;
mod tools;
mod webhook;
mod world;
mod zips;

use std::process::ExitCode;

use anyhow::{Context as _, bail};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = tokio::select! {
        outcome = run(&command) => outcome,
        // Dropping the rest of the world stops every process in it.
        () = console::interrupted_before_serving() => Err(anyhow::anyhow!("stopped")),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            console::failure(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: &[&str]) -> anyhow::Result<ExitCode> {
    match command {
        ["demo", rest @ ..] => demo::run(rest.contains(&"--once")).await.map(|()| ExitCode::SUCCESS),
        ["dev"] => {
            let world = world::World::start().await?;
            world.announce();
            world.serve().await.map(|()| ExitCode::SUCCESS)
        }
        ["test", rest @ ..] => world::cargo(&["test", "--workspace"], rest).await,
        ["fuzz", seconds] => fuzz::run(seconds.parse().context("SECONDS is no number: make fuzz SECONDS=<number>")?).await,
        ["bench"] => world::cargo(&["bench", "--package", "chat", "--bench", "turns"], &[]).await,
        ["dead-letters", rest @ ..] => dead_letters::run(rest.contains(&"--redrive")).await.map(|()| ExitCode::SUCCESS),
        ["reseal"] => reseal::run().await.map(|()| ExitCode::SUCCESS),
        ["webhook"] => webhook::list().await.map(|()| ExitCode::SUCCESS),
        ["webhook", "--create"] => webhook::create().await.map(|()| ExitCode::SUCCESS),
        ["webhook", "--delete", id] => {
            webhook::delete(id.parse().context("the subscription's id is no number")?).await.map(|()| ExitCode::SUCCESS)
        }
        ["move-over", rest @ ..] => move_over::run(rest.contains(&"--check")).await,
        ["scale"] => scale::run().map(|()| ExitCode::SUCCESS),
        ["bench-start"] => bench_start::run().await,
        ["build", architecture] => {
            let template = tidy::template::Template::read(std::path::Path::new("template.yaml"))?;
            zips::build(zips::Architecture::parse(architecture)?, &template).await.map(|()| ExitCode::SUCCESS)
        }
        ["deploy"] => deploy::run().await.map(|()| ExitCode::SUCCESS),
        ["secrets"] => secrets::run().await.map(|()| ExitCode::SUCCESS),
        ["migrate"] => migrations::run().await.map(|()| ExitCode::SUCCESS),
        ["logs"] => logs::run().await.map(|()| ExitCode::SUCCESS),
        ["status"] => status::run().await.map(|()| ExitCode::SUCCESS),
        ["lint"] => tools::lint_template().await.map(|()| ExitCode::SUCCESS),
        ["token", user] => {
            let user = user.parse().context("USER is not a UUID: make token USER=<uuid>")?;
            println!("{}", world::token(user)?);
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!(
            "commands: demo [--once], dev, test [cargo test's arguments], fuzz <seconds>, bench, bench-start, lint, token <uuid>, \
             webhook [--create | --delete <id>], dead-letters [--redrive], reseal, move-over [--check], scale, \
             build arm64|x86_64, deploy, secrets, migrate, logs, status"
        ),
    }
}
