"""Orchestration over ports: observe, decide, perform, record. Knows no client library and no HTTP."""
