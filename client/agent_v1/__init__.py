"""The agent's interface, generated from `agent.proto` by `make proto`. Version 1: fields are added, never changed."""
