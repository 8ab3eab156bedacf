"""How a workflow's steps are planned, ordered, recovered, approved and checkpointed. No file here knows Strands."""
