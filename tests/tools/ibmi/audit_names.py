"""What IBM's columns of SYSTOOLS.AUDIT_JOURNAL_xx are called and hold, where that is not what the bytes are called and hold.

One row for each entry type whose columns are known. A column that no row names is called as the field of the truth, in upper case.
Written from IBM's pages and from Manzan's list, and not from the `column` keys of the layout tables, which the product compares with.
"""
import re
from collections import namedtuple

# Where it is from. The pages' first columns can be read, with their types and descriptions; of the others Manzan lists the names.
PAGE = "https://www.ibm.com/docs/en/i/{}?topic=services-audit-journal-{}-table-function"
OLD_PAGE = "https://www.ibm.com/support/knowledgecenter/en/ssw_ibm_i_73/rzajq/rzajqudfauditjournal{}.htm"
COMMON_PAGE = OLD_PAGE.format("common")
MANZAN = "docs/config/format.md of ThePrez/Manzan at 59fd7dd2"

# The columns that each function has in front, with their DATA_TYPE. The names are on COMMON_PAGE and in Manzan, the types are inferred.
COMMON = {
    "ENTRY_TIMESTAMP": "TIMESTAMP", "SEQUENCE_NUMBER": "DECIMAL", "USER_NAME": "CHARACTER VARYING", "QUALIFIED_JOB_NAME": "CHARACTER VARYING",
    "JOB_NAME": "CHARACTER VARYING", "JOB_USER": "CHARACTER VARYING", "JOB_NUMBER": "CHARACTER VARYING", "THREAD": "BIGINT",
    "PROGRAM_LIBRARY": "CHARACTER VARYING", "PROGRAM_NAME": "CHARACTER VARYING", "PROGRAM_LIBRARY_ASP_DEVICE": "CHARACTER VARYING",
    "PROGRAM_LIBRARY_ASP_NUMBER": "INTEGER", "REMOTE_PORT": "INTEGER", "REMOTE_ADDRESS": "CHARACTER VARYING", "SYSTEM_NAME": "CHARACTER VARYING",
    "SYSTEM_SEQUENCE_NUMBER": "DECIMAL", "RECEIVER_LIBRARY": "CHARACTER VARYING", "RECEIVER_NAME": "CHARACTER VARYING",
    "RECEIVER_ASP_DEVICE": "CHARACTER VARYING", "RECEIVER_ASP_NUMBER": "INTEGER", "ARM_NUMBER": "INTEGER",
}
# The parameters, which SYSPARMS lists before the columns (COMMON_PAGE).
PARAMETERS = {
    "STARTING_RECEIVER_NAME": "CHARACTER VARYING", "ENDING_RECEIVER_NAME": "CHARACTER VARYING", "STARTING_TIMESTAMP": "TIMESTAMP",
    "ENDING_TIMESTAMP": "TIMESTAMP", "USER_NAME": "CHARACTER VARYING", "JOB": "CHARACTER VARYING", "PROGRAM": "CHARACTER VARYING",
    "STARTING_SEQUENCE": "DECIMAL", "ENDING_SEQUENCE": "DECIMAL", "STARTING_RECEIVER_LIBRARY": "CHARACTER VARYING",
    "ENDING_RECEIVER_LIBRARY": "CHARACTER VARYING",
}

# A column with a text stands behind each of these (pages of AD, CD, GR, ST, ZC; Manzan), in the types that have a row below.
DETAILED = {"ENTRY_TYPE", "VIOLATION_TYPE", "VALIDATION_ERROR_ACTION", "WHERE_RUN", "SERVICE_TOOL", "ACCESS_TYPE", "PROBE_TYPE", "ACTION"}
# CHAR on the pages of AD, CD, GR, JS, ST; VIOLATION_TYPE and VALIDATION_ERROR_ACTION by analogy. Other names and words are VARCHAR.
CHARACTER = {"ENTRY_TYPE", "VIOLATION_TYPE", "VALIDATION_ERROR_ACTION", "WHERE_RUN", "SERVICE_TOOL", "JOB_TYPE_BASIC", "JOB_SUBTYPE"}
# The type of a column whose name or values do not tell it.
TYPES = {
    ("CP", "COMMAND_TYPE"): "CHARACTER", ("GR", "ACTION"): "CHARACTER",  # pages of CP, GR
    ("AU", "ATTRIBUTE_VALUE"): "GRAPHIC VARYING", ("AU", "PREV_ATTRIBUTE_VALUE"): "GRAPHIC VARYING",  # page of AU, CCSID 1200
    ("EV", "ENVIRONMENT_VARIABLE_NAME"): "GRAPHIC VARYING", ("EV", "ENVIRONMENT_VARIABLE_VALUE"): "GRAPHIC VARYING",  # inferred
    ("JS", "TARGET_JOB_NUMBER"): "CHARACTER VARYING", ("ST", "TARGET_JOB_NUMBER"): "CHARACTER VARYING",  # inferred: as JOB_NUMBER
    # Inferred, so that each type of SYSPARMS is among the columns.
    ("AX", "SQL_STATEMENT_TEXT"): "DBCLOB", ("VP", "SERVER_TIMESTAMP"): "TIMESTAMP", ("CP", "USER_EXPIRATION_DATE"): "TIMESTAMP",
    ("CP", "MAXIMUM_ALLOWED_STORAGE"): "BIGINT", ("PF", "IMAGE_CATALOG"): "CHARACTER VARYING", ("SM", "NETWORK_FILE_NUMBER"): "DECIMAL",
    ("IM", "SUSPECTED_PACKET"): "BINARY VARYING", ("IM", "EVENT_CORRELATOR"): "FOR BIT DATA", ("IM", "EVENT_LOCAL_ADDRESS_FAMILY"): "BINARY",
    ("IM", "EVENT_REMOTE_ADDRESS_FAMILY"): "BINARY", ("SG", "GENERATION_TIMESTAMP"): "BINARY", ("VO", "ENTRY_ID"): "BINARY VARYING",
    ("VO", "ENTRY_DATA"): "BINARY VARYING",
}

# names: field>COLUMN; field>CODE:COLUMN where the column depends on the code of ENTRY_TYPE or VIOLATION_TYPE; field>- where there is none.
# more: columns whose bytes the truth does not know: always null. flags: fields whose Y and N become YES and NO. words: other words for codes.
Deviations = namedtuple("Deviations", "source names more flags words", defaults=("", "", "", {}))
AUTHORITIES = "allobj jobctl savsys secadm splctl service audit iosyscfg".split()
LEVELS = "cmd create delete jobdta objmgt ofcsrv optical pgmadp savrst security service splfdta sysmgt".split()
RIGHTS = ("object_existence object_management object_operational object_alter object_reference authorization_list_management data_read data_add "
          "data_update data_delete data_execute").split()
YES_AS_COMMAND = {"Y": "*YES", "N": "*NO"}
INDICATOR = r"|(.*_)?path_name_indicator"  # page of OW

TABLE = {
    "AD": Deviations(PAGE.format("7.5", "ad"), " ".join(f"audit_{v}>CHGUSRAUD_{v.upper()}" for v in LEVELS) + " object_library>LIBRARY_NAME audit_more>-",
                     "PREV_OBJECT_AUDIT SCAN_ATTRIBUTE", r"audit_.*" + INDICATOR),
    "AF": Deviations(MANZAN, "program_instruction_number>PROGRAM_INSTRUCTION object_job_name>- object_job_user>- object_job_number>- "
                     "violating_program_name>- violating_program_library>- program_asp_name>- program_asp_number>-",
                     "TCPIP_PORT API_NAME PTF_NUMBER AAC_NAME", INDICATOR[1:]),
    "AP": Deviations(MANZAN, "owning_user_profile>OBJECT_OWNER"),
    "AU": Deviations(PAGE.format("7.6.0", "au-attribute-changes")),
    "AX": Deviations(MANZAN, "object_library>LIBRARY_NAME object_asp_name>ASP_NAME object_asp_number>ASP_NUMBER "
                     "mask_or_permission_name>M:MASK_NAME mask_or_permission_name>P:PERMISSION_NAME "
                     "status_1>M:ENABLED status_1>P:ENABLED status_1>T:ROW_ACCESS_CONTROL status_2>T:COLUMN_ACCESS_CONTROL "
                     "previous_status_1>M:PREV_ENABLED previous_status_1>P:PREV_ENABLED previous_status_1>T:PREV_ROW_ACCESS_CONTROL "
                     "previous_status_2>T:PREV_COLUMN_ACCESS_CONTROL", "SQL_STATEMENT_TEXT STATEMENT_TRUNCATED"),
    "CA": Deviations(PAGE.format("7.6.0", "ca-authority-changes"), "entry_type>- authorization_list_name>AUTHORIZATION_LIST exclude>OBJECT_EXCLUDE "
                     "personal_status>PERSONAL_STATUS_CHANGED access_code_action>ACCESS_CODE_CHANGED",
                     "PREV_AUTHORIZATION_LIST PREV_AUTHORIZATION_LIST_PUBLIC PREV_OBJECT_EXCLUDE " + " ".join(f"PREV_{r.upper()}" for r in RIGHTS),
                     "|".join(RIGHTS) + "|exclude|authorization_list_public|personal_status" + INDICATOR,
                     {"command_type": {"GRT": "GRANT", "RPL": "REPLACE", "RVK": "REVOKE", "USR": "GRTUSRAUT"}}),
    "CD": Deviations(OLD_PAGE.format("CD")),
    "CO": Deviations(MANZAN, flags=INDICATOR[1:]),
    "CP": Deviations("https://ibm.com/docs/en/i/7.4?topic=services-audit-journal-cp-table-function",
                     " ".join(f"special_authority_{a}>{a.upper()} prev_special_authority_{a}>PREVIOUS_{a.upper()}" for a in AUTHORITIES)
                     + " object_library>- object_type>- group_profile>GROUP_PROFILE_NAME owner>GROUP_OWNER current_library>CURRENT_LIBRARY_NAME "
                     "user_class>USER_CLASS_NAME supplemental_group_profiles>SUPPLEMENTAL_GROUP_LIST user_identification>USER_ID_NUMBER "
                     "group_identification>GROUP_ID_NUMBER password_composition_conformance>PASSWORD_CONFORMANCE",
                     "USER_EXPIRATION_DATE USER_EXPIRATION_ACTION SPECIAL_AUTHORITIES PREVIOUS_SPECIAL_AUTHORITIES HOME_DIRECTORY "
                     "MAXIMUM_ALLOWED_STORAGE JOB_DESCRIPTION_LIBRARY JOB_DESCRIPTION",
                     "password_changed|no_password_indicator|(prev_)?special_authority_.*", {"password_expired": YES_AS_COMMAND}),
    "DO": Deviations(PAGE.format("7.4", "do"), flags=INDICATOR[1:]),
    "DS": Deviations(MANZAN, "ibm_supplied_id_reset>- sst_userid_to_change>- sst_userid_new_name_short>- password_change>- "
                     "sst_userid_changed>SST_USERID_MODIFIED", "SST_USERID_NEW SET_PASSWORD_EXPIRED USERID_STATUS PREV_USERID_STATUS"),
    "EV": Deviations(MANZAN, "new_name_truncated>VALUE_TRUNCATED new_environment_variable_name>ENVIRONMENT_VARIABLE_VALUE", flags="(new_)?name_truncated"),
    "GR": Deviations("https://ibm.com/docs/en/i/7.4?topic=services-audit-journal-gr-table-function",
                     "function_user_name>USER_PROFILE_NAME field_1>- field_2>- field_3>- field_4>-",
                     "EXIT_POINT_NAME EXIT_POINT_FORMAT EXIT_PROGRAM_NUMBER EXIT_PROGRAM_LIBRARY EXIT_PROGRAM FUNCTION_REGISTRATION_OPERATION FUNCTION_NAME"),
    "IM": Deviations(MANZAN, "detection_point_identifier>DETECTION_POINT_ID event_type>EVENT_ATTACK_TYPE condition>CONDITION_NUMBER "
                     "throttling>THROTTLING_ACTIVE"),
    "JS": Deviations(OLD_PAGE.format("JS"), "job_queue>JOB_QUEUE_NAME output_queue>OUTPUT_QUEUE_NAME juid>JOB_USER_IDENTITY "
                     "juid_description>JOB_USER_IDENTITY_DESCRIPTION library_list_number>LIBRARY_LIST_COUNT extended_library_list>-",
                     "JOB_TYPE TARGET_QUALIFIED_JOB_NAME WORKLOAD_GROUP", ".*_changed"),
    "LD": Deviations(MANZAN, flags=INDICATOR[1:]),
    "M0": Deviations(MANZAN), "M6": Deviations(MANZAN), "M7": Deviations(MANZAN, "rule_identifier_short>-"),
    "M8": Deviations(MANZAN), "M9": Deviations(MANZAN),
    "NA": Deviations(MANZAN, "new_attribute_value>ATTRIBUTE_VALUE old_attribute_value>PREV_ATTRIBUTE_VALUE"),
    "OM": Deviations(MANZAN, "new_object_name>OBJECT_NAME new_object_library>LIBRARY_NAME old_object_name>PREV_OBJECT_NAME "
                     "old_object_library>PREV_LIBRARY_NAME new_dlo_name>DLO_NAME new_folder_path>FOLDER_PATH old_dlo_name>PREV_DLO_NAME "
                     "old_folder_path>PREV_FOLDER_PATH ifs_new_object_name>IFS_OBJECT_NAME ifs_old_object_name>PREV_IFS_OBJECT_NAME "
                     "ifs_old_object_file_id>- parent_file_id>PREV_PARENT_FILE_ID new_parent_file_id>PARENT_FILE_ID " + " ".join(
                         f"new_{n}>{n.upper()} old_{n}>PREV_{n.upper()}" for n in ("object_file_id", "object_asp_name", "object_asp_number",
                                                                                  "path_name", "path_name_indicator", "relative_directory_file_id")),
                     flags=INDICATOR[1:]),
    "OR": Deviations("https://www.ibm.com/docs/en/i/7.5?topic=services-audit-journal-object-restore-table-function",
                     "restored_object_name>OBJECT_NAME restored_object_library>OBJECT_LIBRARY save_object_name>SAVE_OBJECT "
                     "system_command>COMMAND_STATE setuid_mode>SET_EFFECTIVE_USER_ID setgid_mode>SET_EFFECTIVE_GROUP_ID scan_attribute>EXIT_PROGRAM_SCAN "
                     "restored_dlo_name>DLO_NAME restored_folder_path>FOLDER_PATH save_dlo_name>SAVED_DLO_NAME save_folder_path>SAVED_FOLDER_PATH "
                     "old_file_id>PREV_OBJECT_FILE_ID media_file_id>SAVE_OBJECT_FILE_ID", "OBJECT_ATTRIBUTE SAVE_SYSTEM OFFICE_USER",
                     "set.id_mode" + INDICATOR),
    "OW": Deviations(PAGE.format("7.4", "ow"), "entry_type>-", flags=INDICATOR[1:]),
    "PA": Deviations(MANZAN, "setuid_mode>SET_EFFECTIVE_USER_ID setgid_mode>SET_EFFECTIVE_GROUP_ID isvtx_mode>RESTRICT_RENAME_AND_UNLINK "
                     "previous_setuid_mode>PREV_SET_EFFECTIVE_USER_ID previous_setgid_mode>PREV_SET_EFFECTIVE_GROUP_ID "
                     "previous_isvtx_mode>PREV_RESTRICT_RENAME_AND_UNLINK", flags="(previous_)?(set.id|isvtx)_mode" + INDICATOR),
    "PF": Deviations(MANZAN, "ptf_minimum_level>PRODUCT_MINIMUM_LEVEL ptf_maximum_level>PRODUCT_MAXIMUM_LEVEL", "PRODUCT_LIBRARY IMAGE_CATALOG"),
    "PG": Deviations(MANZAN, "object_library>LIBRARY_NAME new_primary_group>PRIMARY_GROUP previous_primary_group>PREV_PRIMARY_GROUP "
                     "exclude>OBJECT_EXCLUDE previous_exclude>PREV_OBJECT_EXCLUDE revoke_old_primary_group>REVOKE_PREV_PRIMARY_GROUP "
                     + " ".join(f"previous_{r}>PREV_{r.upper()}" for r in RIGHTS),
                     flags="(previous_)?(exclude|" + "|".join(RIGHTS) + ")|revoke_old_primary_group" + INDICATOR),
    "PS": Deviations(MANZAN, "on_behalf_of_user>OFFICE_ON_BEHALF_OF_USER", "PORT_NUMBER IP_ADDRESS DEVICE_NAME"),
    "PU": Deviations(MANZAN, "ru_name>LIC_RU_NAME", flags=INDICATOR[1:]),
    # INTERFACE_NAME: the field holds the name of a service tool for X, Y, Z, says IBM's page of the layout (rzarlf45); inferred that it moves.
    "PW": Deviations(MANZAN, " ".join(f"device_name>{code}:INTERFACE_NAME" for code in "XYZ") + " device_name>DEVICE_NAME", "DECRYPT_HOST_VARIABLE"),
    "RA": Deviations(MANZAN, "authorization_list>SAVE_AUTHORIZATION_LIST public_authority>PUBLIC_AUTHORITY_EXCLUDE "
                     "private_authority>PRIVATE_AUTHORITY_REMOVED", "RESTORE_AUTHORIZATION_LIST",
                     "(public|private)_authority|authorization_list_removed" + INDICATOR),
    "RO": Deviations(MANZAN, flags=INDICATOR[1:]),
    "RZ": Deviations(MANZAN, flags=INDICATOR[1:]),
    "SK": Deviations(MANZAN, "local_ip_address_v4>- remote_ip_address_v4>- remote_ip_address>- address_family>ADDRESS_SPACE_TYPE",
                     "DHCP_IP_ADDRESS TLS_ERROR_CODE"),
    "SM": Deviations("https://www.ibm.com/support/knowledgecenter/ssw_ibm_i_74/rzajq/rzajqudfauditjournalSM.htm",
                     "relational_database_name>RDB_NAME network_file_name>NETWORK_FILE network_file_originating_user>NETWORK_FILE_ORIGINATOR "
                     "network_file_originating_address>NETWORK_FILE_ADDRESS"),
    "ST": Deviations(OLD_PAGE.format("ST"), "dmpsysobj_object_name>DMPSYSOBJ_OBJECT dmpsysobj_object_library>DMPSYSOBJ_LIBRARY "
                     "dmpsysobj_object_type>DMPSYSOBJ_TYPE juid>TARGET_JOB_USER_IDENTITY application_trace_option>TRCTCPAPP_OPTION",
                     "TARGET_QUALIFIED_JOB_NAME USER_PROFILE LIC_RU_NAME"),
    "SV": Deviations(MANZAN, "new_value_continued>- old_value_continued>- new_value_extension>- old_value_extension>-"),
    "VP": Deviations(MANZAN, "server_date>- server_time>- computer_name_short>- share_name>- share_authorization_list>- correlation_id>-", "SERVER_TIMESTAMP"),
    "ZC": Deviations(PAGE.format("7.5", "zc"), "object_library>LIBRARY_NAME previous_member_name>PREV_MEMBER_NAME",
                     "MEMBER_NAME PREV_MEMBER_NAME IFS_ACCESS_TYPE", INDICATOR[1:]),
    "ZR": Deviations(MANZAN, "object_library>LIBRARY_NAME", "MEMBER_NAME", INDICATOR[1:]),
}
for _type in ("ZC", "ZR"):  # the parts of the access data (make_capture.py --access-data); the data as a whole has no column
    TABLE[_type] = TABLE[_type]._replace(names=TABLE[_type].names + " access_specific_data>- image_catalog_index>IMGCLGE_INDEX_NUMBER "
                                         "volume_id>IMGCLGE_VOLUME_ID access>IMGCLGE_ACCESS_TYPE write_protected>IMGCLGE_WRITE_PROTECTION "
                                         "virtual_device>IMGCLGE_VIRTUAL_DEVICE command_name>-")

# Fields that are nowhere columns: reserved areas, and what says how another field is to be read. An object in a directory has its file id
# twice in the bytes; the one column is taken for the later field.
NOWHERE = re.compile(r"reserved|not_seen|cp_unused|.*_(ccsid|country_id|language_id)$|.*_length$|ifs_object_file_id$")


def is_shown(field, fields):
    """Whether a column shows what the bytes have: no indicator without a path, a directory's file id for a relative path only (page of OW)."""
    prefix, what = re.fullmatch("(.*?)(relative_directory_file_id|path_name_indicator|)", field).groups()
    if not what:
        return True
    return bool(fields.get(f"{prefix}path_name")) and (what == "path_name_indicator" or fields.get(f"{prefix}path_name_indicator") == "N")


def placed(type, field):
    """[(code, column)]: where a field of the truth goes. The code is None where it goes there whatever the detail is."""
    known = [target.split(":") for name, _, target in (item.partition(">") for item in TABLE.get(type, Deviations("")).names.split()) if name == field]
    if not known:
        return [] if NOWHERE.match(field) or field.upper() in COMMON else [(None, field.upper())]
    return [(target[0] if target[1:] else None, target[-1]) for target in known if target != ["-"]]


def word(type, field, said):
    """What the column holds for a text of the bytes."""
    row = TABLE.get(type)
    if row is None:
        return said
    if said in ("Y", "N") and row.flags and re.fullmatch(row.flags, field):
        return {"Y": "YES", "N": "NO"}[said]
    return row.words.get(field, {}).get(said, said)
