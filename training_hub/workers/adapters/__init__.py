"""What puts PEFT's adapters into a model and takes them out again, one module for each method."""
