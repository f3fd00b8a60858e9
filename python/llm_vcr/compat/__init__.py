"""Other tools' names for what llm_vcr does, so that a suite moves in as it is. Each module is opt-in: nothing imports it by itself."""
