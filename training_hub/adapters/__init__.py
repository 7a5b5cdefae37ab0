"""What the front knows of each adapter, one module per method of PEFT."""
