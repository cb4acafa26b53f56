"""One turn, stage by stage; each stage says what it decided."""
