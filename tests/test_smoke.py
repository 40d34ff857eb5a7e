from tests.registry import note, post, registry, statement


def test_what_is_recorded_is_answered(database: str) -> None:
    with registry(database) as client:
        made = post(client, statement(actors=["FR", "GB"]))
        assert made["event"]["position"] == 2
        for path in (
            "/v1/coalitions",
            "/v1/coalitions/willing",
            "/v1/coalitions/willing/status",
            "/v1/coalitions/willing/commitments",
            "/v1/countries/GB/commitments",
            "/v1/coalitions/willing/pledges",
            "/v1/subjects/willing/pledge/ground-troops",
            "/v1/subjects/willing/pledge/ground-troops/history",
            "/v1/coalitions/willing/timeline",
            "/v1/coalitions/willing/changes?from=2025-01-01&to=2025-08-01",
            "/v1/events",
            "/v1/events/" + made["event"]["event_id"],
            "/v1/actors?q=Britain",
        ):
            got = client.get(path)
            print(path, got.status_code, len(got.text))
            assert got.status_code == 200, got.text
        n = note(
            client,
            made["event"]["event_id"],
            "corrections",
            {"changes": {"body": {"firmness": "committed"}}, "reason": "entry_error"},
        )
        assert {s["firmness"] for s in n["states"]} == {"committed"}
        note(client, made["event"]["event_id"], "retraction", {"reason": "entry_error"})
        assert client.get("/v1/countries/GB/commitments").json()["commitments"] == []
        assert (
            client.get("/v1/countries/GB/commitments?as_of=2026-01-01&known_position=3").json()["commitments"][0][
                "firmness"
            ]
            == "committed"
        )
        n = note(client, made["event"]["event_id"], "reinstatement", {"reason": "entry_error"})
        two = post(client, statement(summary="other"))
        note(client, two["event"]["event_id"], "duplicates", {"original": made["event"]["event_id"]})
        three = post(client, statement(body={"category": "ground_troops", "firmness": "considering"}))
        d = note(
            client,
            three["event"]["event_id"],
            "disputes",
            {"rivals": [{"event_id": made["event"]["event_id"], "rank": "preferred"}]},
        )
        print(d)
        s = post(
            client,
            {
                "ranks": [
                    {"event_id": three["event"]["event_id"], "rank": "deprecated"},
                    {"event_id": made["event"]["event_id"]},
                ]
            },
            f"/v1/events/{d['event']['event_id']}/settlement",
        )
        print(s)
        note(client, made["event"]["event_id"], "sources", {"sources": [{"title": "B"}]})
