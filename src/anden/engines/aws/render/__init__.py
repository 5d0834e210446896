"""Blueprint to CloudFormation, pure: plain typed dicts, a module for each resource family, put together in `stacks`."""
