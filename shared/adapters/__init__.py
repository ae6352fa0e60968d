"""The only modules that know a client library. Each implements one port; only `shared.wiring` imports them."""
