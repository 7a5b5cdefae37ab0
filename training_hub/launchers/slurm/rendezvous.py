"""What stands in a planned torchrun command for what only the job knows; `node` fills it in."""

NODE_RANK = "$NODE_RANK"
FIRST_NODE = "$FIRST_NODE"
PORT = "$PORT"
