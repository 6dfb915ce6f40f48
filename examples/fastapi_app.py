"""A web application: one store for the application, and a session for each request.

    STRONGROOM_KEYS=… OPENAI_API_KEY=… uvicorn --factory fastapi_app:create_app

``GET /chat`` returns the conversation of the user who asks, ``POST /chat`` takes a turn, and
``DELETE /chat`` forgets it. Who asks is decided by ``users``, a table of bearer tokens that stands
for the log-in of your application: a session id is no authorization.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

from agents import Agent, Runner
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from strongroom import Keyring, SessionStore, SQLAlchemySession

URL = "sqlite+aiosqlite:///memory.db"


class Turn(BaseModel):
    """A message of a user."""

    message: str


def session_of_user(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> SQLAlchemySession:
    """Return the conversation of whoever asks; it takes microseconds, and reads nothing yet."""
    user = request.app.state.users.get(credentials.credentials)
    if user is None:
        raise HTTPException(401, "Unknown token.")
    return request.app.state.store.session(user)


Session = Annotated[SQLAlchemySession, Depends(session_of_user)]


def create_app(
    url: str = URL,
    *,
    keys: Keyring | None = None,
    users: Mapping[str, str] | None = None,
    agent: Agent[Any] | None = None,
) -> FastAPI:
    """Build the application; what it holds open is opened and closed with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with SessionStore.from_url(
            url,
            create_tables=True,
            codec="orjson+aesgcm",
            keys=keys or Keyring.from_env("STRONGROOM_KEYS"),
        ) as store:
            app.state.store = store
            yield

    app = FastAPI(lifespan=lifespan)
    app.state.users = users or {os.environ.get("APP_TOKEN", ""): "user-1"}
    app.state.agent = agent or Agent(name="Concierge", instructions="Help the guest.")

    @app.post("/chat")
    async def take_turn(turn: Turn, request: Request, session: Session) -> dict[str, str]:
        result = await Runner.run(request.app.state.agent, turn.message, session=session)
        return {"answer": str(result.final_output)}

    @app.get("/chat")
    async def show(session: Session, limit: int = 20) -> list[Any]:
        return await session.get_items(limit=limit)

    @app.delete("/chat", status_code=204)
    async def forget(session: Session) -> None:
        await session.clear_session()

    return app
