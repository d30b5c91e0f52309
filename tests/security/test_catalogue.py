"""Where each attack is tried: here, or beside the code that withstands it. A name that is gone
from its file fails.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CATALOGUE: dict[str, tuple[str, ...]] = {
    "tests/security/test_addresses.py": (
        "test_no_spelling_of_an_inside_address_is_fetched",
        "test_no_redirect_leads_to_an_inside_address",
        "test_no_spelling_of_an_inside_address_is_a_webhook",
        "test_a_public_name_that_resolves_to_the_inside_is_refused",
        "test_what_only_looks_public_is_refused",
    ),
    "tests/unit/connectors/test_web_client.py": (
        "test_private_addresses_of_every_kind_are_known",
        "test_a_gzip_bomb_does_not_grow_the_process",
        "test_a_redirect_to_no_web_address_is_refused",
        "test_a_password_is_not_sent_to_where_a_redirect_leads",
        "test_no_password_gets_into_a_message",
    ),
    "tests/unit/connectors/sources/test_feed_reading.py": (
        "test_what_is_no_feed_is_one_clean_error",  # entity bombs, external entities, depth
        "test_hostile_xml_takes_time_in_proportion_to_its_size",
    ),
    "tests/unit/connectors/test_extraction.py": ("test_many_paragraphs_take_time_in_proportion",),
    "tests/unit/connectors/test_cleaning.py": (
        "test_hostile_markup_takes_time_in_proportion_to_its_size",
    ),
    "tests/security/test_text.py": (
        "test_no_text_rings_a_channel_through_a_message_of_several",
        "test_who_names_himself_after_a_channel_rings_nobody",
        "test_an_answer_to_the_slash_command_is_plain_text",
        "test_a_page_brings_nothing_in_by_its_entities",
        "test_no_word_of_a_rule_is_a_catastrophic_pattern",
        "test_a_tag_of_countless_attributes_is_refused_unparsed",
        "test_no_transformation_of_python_is_a_charset",
    ),
    "tests/unit/connectors/test_slack_blocks.py": (
        "test_no_text_from_outside_mentions_or_links_and_all_limits_hold",
        "test_a_link_shows_the_host_that_it_leads_to",
    ),
    "tests/unit/connectors/test_console_sink.py": (
        "test_no_text_from_outside_breaks_a_line_or_sends_a_control_character",
    ),
    "tests/unit/streams/test_logs.py": (
        "test_outside_text_cannot_forge_a_line_or_command_the_terminal",
        "test_outside_text_cannot_forge_a_key_or_hide_a_sign",
        "test_every_secret_of_the_configuration_is_masked",
    ),
    "tests/security/test_secrets.py": (
        "test_a_fault_of_the_configuration_quotes_no_value",
        "test_no_failed_delivery_carries_a_secret_anywhere",
        "test_a_check_of_a_line_whose_every_part_is_away_names_no_secret",
    ),
    "tests/security/test_tokens.py": (
        "test_the_ingest_server_takes_no_wrong_token",
        "test_the_page_takes_no_wrong_token",
        "test_no_token_or_signature_is_compared_by_equality",
    ),
    "tests/security/test_other_sites.py": (
        "test_no_form_of_another_site_acts",
        "test_every_door_that_acts_reads_a_wish",
    ),
    "tests/security/test_listener.py": ("test_who_asks_nothing_whole_is_hung_up_on",),
    "tests/security/test_encrypted_line.py": (
        "test_a_broker_of_an_unknown_authority_is_not_trusted",
        "test_redis_lets_its_user_touch_one_prefix_alone",
        "test_a_redis_of_an_unknown_authority_is_not_trusted",
    ),
    "tests/unit/streams/test_plaintext.py": (
        "test_every_plain_connection_to_another_machine_is_named",
        "test_every_token_and_password_of_a_door_or_a_source_is_named",
        "test_a_redis_whose_certificate_nobody_checks_is_named",
    ),
    "tests/unit/streams/dashboard/test_access.py": (
        "test_another_address_without_a_token_is_refused",
        "test_a_name_pointed_here_from_elsewhere_is_turned_away",
    ),
    "tests/unit/connectors/sources/test_ingest.py": (
        "test_without_a_token_only_loopback_names_are_served",
        "test_an_open_address_needs_a_token",
        "test_a_large_body_of_unknown_length_is_413",
    ),
    "tests/integration/test_slack_http.py": (
        "test_what_slack_did_not_sign_is_refused",
        "test_signed_nonsense_is_a_bad_request",
    ),
    "tests/unit/classifiers/test_artifact.py": (
        "test_a_pickle_inside_is_refused_and_never_run",
        "test_a_pickle_instead_of_a_model_is_refused_and_never_run",
        "test_a_file_that_unpacks_without_end_is_refused",
        "test_a_file_that_claims_to_be_huge_is_refused_before_memory_is_taken",
    ),
}


@pytest.mark.parametrize("file", CATALOGUE)
def test_every_attack_of_the_catalogue_is_tried(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert [name for name in CATALOGUE[file] if f"def {name}(" not in text] == []
