//! What is to be done on the IBM i: CL commands for an administrator, shown and never run.
//!
//! Source: profile and authorities as in docs/LIVE.md (IBM's pages of DISPLAY_JOURNAL and its journal services), the journal and the
//! system values as `doctor` has them (Security reference). Whoever has a live system gets what it lacks from `doctor`.
use super::source::Source;
use crate::doctor::findings::{CREATE, switch_on};

/// The commands, with what each is for.
pub fn commands(source: &Source) -> String {
    let mut text = String::from(
        "/* Is there an audit journal, and what does it collect? CHGSYSVAL replaces: keep what is there */\nDSPOBJD OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN)\nDSPSYSVAL SYSVAL(QAUDCTL)\nDSPSYSVAL SYSVAL(QAUDLVL)\n",
    );
    let [control, level] = switch_on();
    text.push_str("/* Where there is none */\n");
    CREATE.iter().for_each(|command| text.push_str(&format!("{command}\n")));
    text.push_str(&format!("/* Where nothing is collected */\n{control}\n{level}\n"));
    if let Some(user) = source.profile() {
        text.push_str(&format!(
            "/* A profile for the agent, which reads and no more: no special authorities */\nCRTUSRPRF USRPRF({user}) PASSWORD(...) USRCLS(*USER) INLMNU(*SIGNOFF) TEXT('qaudjrn, reads QAUDJRN')\nGRTOBJAUT OBJ(QSYS/QAUDJRN) OBJTYPE(*JRN) USER({user}) AUT(*USE *OBJEXIST)\nGRTOBJAUT OBJ(QGPL/AUDRCV*) OBJTYPE(*JRNRCV) USER({user}) AUT(*USE)   /* library and names of your receivers */\n"
        ));
    }
    text.push_str(match source {
        Source::Live(..) => {
            "/* Mapepire, in a PASE shell, port 8076 */\nservice mapepire start\n"
        }
        Source::Odbc(..) => "/* The relay needs IBM's ODBC driver and a data source in odbc.ini; nothing more on the IBM i */\n",
        Source::Folder(_) | Source::File(_) => {
            "/* A capture; transfer it in binary (FTP BINARY) */\nDSPJRN JRN(QSYS/QAUDJRN) RCVRNG(*CURCHAIN) OUTPUT(*OUTFILE) OUTFILFMT(*TYPE5) OUTFILE(MYLIB/AUDIT) ENTDTALEN(16000)\n"
        }
        Source::Stream(_) => {
            "/* The sender is a program of yours: docs/STREAM.md says what it speaks. None comes with qaudjrn */\n"
        }
    });
    text
}
