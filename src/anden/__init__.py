"""anden: single-tenant microservice environments from one manifest, on engines that mean the same."""

__version__ = "0.1.0"
