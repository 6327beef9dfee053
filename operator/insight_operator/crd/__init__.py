"""The InsightEngine resource: its models, the schema made from them, the whole CustomResourceDefinition."""
