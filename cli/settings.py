"""What `make run` can be told, beside the settings of the processes that it starts."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LaunchSettings(BaseSettings):
    """The launcher's own settings; `temporal_address` and `database_url` replace the embedded parts."""

    model_config = SettingsConfigDict(env_prefix="COUNTERSIGN_", extra="ignore")

    temporal_port: int = Field(default=7233, ge=1, le=65535)
    temporal_ui_port: int = Field(default=8233, ge=1, le=65535)
    temporal_address: str | None = None
    temporal_ui: str | None = None
    demo: bool = True
    demo_api_rate: int = Field(default=0, ge=0)
