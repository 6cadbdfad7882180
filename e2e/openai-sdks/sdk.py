"""The calls of `sdk.ts` by the Python SDK. Prints what they return as JSON."""

import base64
import io
import json
import os
import sys

import openai
from openai import OpenAI

base_url = os.environ["BASE_URL"]
client = OpenAI(base_url=base_url, api_key=os.environ["API_KEY"])
model = "parrot"


def said(text):
    return [{"role": "user", "content": text}]


def chat(text, client=client, model=model, **more):
    return client.chat.completions.create(model=model, messages=said(text), **more)


def error_of(call):
    try:
        call()
    except openai.APIStatusError as error:
        retry_after = error.response.headers.get("retry-after")
        return {
            "class": type(error).__name__,
            "status": error.status_code,
            "code": error.code,
            "message": error.body["message"],
            "waits": retry_after is not None and int(retry_after) > 0,
            "has_request_id": bool(error.request_id),
        }
    except openai.APIError as error:
        return {"class": type(error).__name__, "message": error.message}
    return None


def streamed(text):
    parts = [
        chunk.choices[0].delta.content if chunk.choices else chunk.usage.completion_tokens
        for chunk in chat(text, stream=True, stream_options={"include_usage": True})
    ]
    return parts


def stopped(text):
    stream = chat(text, stream=True)
    first = next(stream)
    stream.close()
    return first.choices[0].delta.content


def responses():
    whole = client.responses.create(model=model, input="how are you")
    events = client.responses.create(model=model, input="how are you", stream=True)
    types = [event.type for event in events]
    return [whole.output_text, whole.usage.output_tokens, types]


def embeddings():
    answer = client.embeddings.create(model=model, input="three words here")
    return [answer.data[0].embedding, answer.usage.prompt_tokens]


def images():
    made = client.images.generate(model=model, prompt="a cat")
    picture = ("cat.png", io.BytesIO(b"x" * 300_000), "image/png")
    edited = client.images.edit(model=model, prompt="a hat", image=picture)
    return [base64.b64decode(image.data[0].b64_json).decode() for image in (made, edited)]


def audio():
    speech = ("speech.wav", io.BytesIO(b"x" * 700_000), "audio/wav")
    heard = client.audio.transcriptions.create(model=model, file=speech)
    spoken = client.audio.speech.create(model=model, voice="alloy", input="hello")
    return [heard.text, len(spoken.read())]


def calls():
    other = OpenAI(base_url=base_url, api_key="no-such-token")
    once = client.with_options(max_retries=0)
    return {
        "models": [[one.id, one.owned_by] for one in client.models.list()],
        "chat": chat("how are you").choices[0].message.content,
        "stream": streamed("how are you"),
        "stopped": stopped("endless"),
        "completions": client.completions.create(model=model, prompt="hello").choices[0].text,
        "embeddings": embeddings(),
        "responses": responses(),
        "images": images(),
        "audio": audio(),
        "unknown_model": error_of(lambda: chat("hello", model="cat")),
        "unknown_token": error_of(lambda: chat("hello", client=other)),
        "no_model": error_of(lambda: client.post("/chat/completions", body={}, cast_to=object)),
        "unavailable": error_of(lambda: chat("hello", client=once, model="absent")),
        "refused": error_of(lambda: chat("please refuse")),
        "overloaded": error_of(lambda: chat("python once overloaded", client=once)),
        "retried": chat("python overloaded").choices[0].message.content,
        "broken": error_of(lambda: streamed("will break")),
        "woken": chat("good morning", model="sleeper").choices[0].message.content,
    }


def budget():
    """With a token for one model and few tokens."""
    once = client.with_options(max_retries=0)
    return {
        "other_model": error_of(lambda: chat("hello", model="sleeper")),
        "within": chat("one two three four five six").choices[0].message.content,
        "beyond": error_of(lambda: chat("hello", client=once)),
    }


print(json.dumps({"calls": calls, "budget": budget}[sys.argv[1]]()))
