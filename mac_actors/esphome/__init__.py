"""The native API of readers that run ESPHome and take no pokes."""
