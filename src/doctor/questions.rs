//! What the doctor asks a system: SQL, all of it queries (R40), beside those of [`crate::source::live::statements`].
//!
//! Names of columns and parameters are from IBM's pages "IBM i Services" (rzajq): SYSTEM_VALUE_INFO view (7.5), USER_INFO view
//! (7.2, 7.5), OBJECT_STATISTICS (7.2 to 7.5), IFS_OBJECT_STATISTICS (7.3 to 7.5) and OBJECT_PRIVILEGES (7.3, 7.4) table functions. Of
//! the last, AUTHORIZATION_USER, OBJECT_AUTHORITY and AUTHORIZATION_LIST were read there; the ten that say YES or NO were
//! read as far as DATA_DELETE, on the page of AUTHORIZATION_LIST_USER_INFO, and DATA_EXECUTE is by analogy: docs/DOCTOR.md.
//! SYSPARMS: "SYSPARMS" (rbafz 7.2, 7.4), which says that result columns of table functions are among its rows. The parameters of
//! AUDIT_JOURNAL_xx: "AUDIT JOURNAL table function common information" (rzajq 7.3).
use super::layouts::compare::{Column, ColumnKind};

/// System values about auditing. Without *ALLOBJ or *AUDIT special authority the text is `*NOTAVL` (SYSTEM_VALUE_INFO, "Authorization").
pub const VALUES: &str = "SELECT SYSTEM_VALUE_NAME AS \"NAME\", CAST(CURRENT_NUMERIC_VALUE AS VARCHAR(21)) AS \"NUMBER\", CURRENT_CHARACTER_VALUE AS \"TEXT\" FROM QSYS2.SYSTEM_VALUE_INFO WHERE SYSTEM_VALUE_NAME IN ('QAUDCTL', 'QAUDLVL', 'QAUDLVL2', 'QAUDENDACN', 'QCRTOBJAUD', 'QCCSID', 'QTIMZON', 'QUTCOFFSET')";

/// The user profiles that we may see: those we have *OBJOPR and *READ to (USER_INFO, "Authorization").
pub const PROFILES: &str = "SELECT AUTHORIZATION_NAME AS \"NAME\", STATUS AS \"STATUS\", USER_CLASS_NAME AS \"CLASS\", SPECIAL_AUTHORITIES AS \"SPECIAL\", GROUP_PROFILE_NAME AS \"GROUP\", SUPPLEMENTAL_GROUP_LIST AS \"GROUPS\", USER_ACTION_AUDIT_LEVEL AS \"ACTIONS\" FROM QSYS2.USER_INFO ORDER BY AUTHORIZATION_NAME";

/// An object: owner and auditing. Parameters: library, type, name. OBJECT_AUDIT needs *ALLOBJ or *AUDIT (7.4, "Authorization").
pub const OBJECT: &str = "SELECT OBJNAME AS \"NAME\", OBJOWNER AS \"OWNER\", OBJECT_AUDIT AS \"AUDIT\" FROM TABLE(QSYS2.OBJECT_STATISTICS(OBJECT_SCHEMA => CAST(? AS VARCHAR(10)), OBJTYPELIST => CAST(? AS VARCHAR(10)), OBJECT_NAME => CAST(? AS VARCHAR(10)))) AS O";

/// The objects of a library, counted by their auditing, with the first name of each. Parameter: the library.
pub const CONTENTS: &str = "SELECT O.OBJECT_AUDIT AS \"AUDIT\", CAST(COUNT(*) AS VARCHAR(11)) AS \"COUNT\", MIN(O.OBJNAME) AS \"FIRST\" FROM TABLE(QSYS2.OBJECT_STATISTICS(OBJECT_SCHEMA => CAST(? AS VARCHAR(10)), OBJTYPELIST => '*ALL')) AS O GROUP BY O.OBJECT_AUDIT";

/// A directory, or a file, and what is directly in it, the first thousand. Parameter: the path.
pub const PATH: &str = "SELECT CAST(PATH_NAME AS VARCHAR(1024)) AS \"PATH\", OBJECT_TYPE AS \"TYPE\", OBJECT_AUDIT AS \"AUDIT\" FROM TABLE(QSYS2.IFS_OBJECT_STATISTICS(START_PATH_NAME => CAST(? AS VARCHAR(1024)), SUBTREE_DIRECTORIES => 'NO')) AS P FETCH FIRST 1000 ROWS ONLY";

/// Who has which authority to an object: all, or only we, where we may not see the others (OBJECT_PRIVILEGES, "Authorization").
/// Parameters: library, name, type.
pub const RIGHTS: &str = "SELECT AUTHORIZATION_USER AS \"USER\", OBJECT_AUTHORITY AS \"AUTHORITY\", AUTHORIZATION_LIST AS \"LIST\", OBJECT_OPERATIONAL AS \"OBJOPR\", OBJECT_MANAGEMENT AS \"OBJMGT\", OBJECT_EXISTENCE AS \"OBJEXIST\", OBJECT_ALTER AS \"OBJALTER\", OBJECT_REFERENCE AS \"OBJREF\", DATA_READ AS \"READ\", DATA_ADD AS \"ADD\", DATA_UPDATE AS \"UPD\", DATA_DELETE AS \"DLT\", DATA_EXECUTE AS \"EXECUTE\" FROM TABLE(QSYS2.OBJECT_PRIVILEGES(SYSTEM_OBJECT_SCHEMA => CAST(? AS VARCHAR(10)), SYSTEM_OBJECT_NAME => CAST(? AS VARCHAR(10)), OBJECT_TYPE => CAST(? AS VARCHAR(8)))) AS A";

/// The table functions over audit entries, one an entry type; which there are depends on release and PTF level.
pub const AUDIT_FUNCTIONS: &str = "SELECT R.ROUTINE_NAME AS \"NAME\" FROM QSYS2.SYSROUTINES R WHERE R.ROUTINE_SCHEMA = 'SYSTOOLS' AND R.ROUTINE_NAME LIKE 'AUDIT_JOURNAL___' ORDER BY R.ROUTINE_NAME";

/// The parameters and, behind them, the columns of one of them. Parameter: the function.
pub const AUDIT_COLUMNS: &str = "SELECT P.PARAMETER_NAME AS \"NAME\", P.DATA_TYPE AS \"TYPE\", CAST(P.CCSID AS VARCHAR(11)) AS \"CCSID\" FROM QSYS2.SYSPARMS P WHERE P.SPECIFIC_SCHEMA = 'SYSTOOLS' AND P.SPECIFIC_NAME IN (SELECT R.SPECIFIC_NAME FROM QSYS2.SYSROUTINES R WHERE R.ROUTINE_SCHEMA = 'SYSTOOLS' AND R.ROUTINE_NAME = ?) ORDER BY P.ORDINAL_POSITION";

/// These columns of the audit entries of a type, behind the sequence number. Parameters: name of the receiver, twice, the first and the
/// last number, the library of the receiver, twice.
pub fn audit_rows(code: &str, columns: &[Column]) -> String {
    let item = |c: &Column| {
        let name = format!("\"{}\"", c.name);
        let value = match c.kind {
            ColumnKind::Text => name.clone(),
            ColumnKind::Wide => format!("CAST({name} AS VARCHAR(8000) CCSID 1208)"),
            ColumnKind::Number | ColumnKind::Time => format!("CAST({name} AS VARCHAR(40))"),
            ColumnKind::Bytes => format!("HEX({name})"),
        };
        format!(", {value} AS {name}")
    };
    let items: String = columns.iter().map(item).collect();
    format!(
        "SELECT CAST(\"SEQUENCE_NUMBER\" AS VARCHAR(21)) AS \"SEQUENCE_NUMBER\"{items} FROM TABLE(SYSTOOLS.AUDIT_JOURNAL_{code}(STARTING_RECEIVER_NAME => CAST(? AS VARCHAR(10)), ENDING_RECEIVER_NAME => CAST(? AS VARCHAR(10)), STARTING_SEQUENCE => CAST(? AS DECIMAL(21,0)), ENDING_SEQUENCE => CAST(? AS DECIMAL(21,0)), STARTING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)), ENDING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)))) AS A"
    )
}
